"""Recognise texts that stand for a missing value: ``null``, a guest's id, an unfilled template."""

from __future__ import annotations

import re

__all__ = ["is_placeholder"]

# Texts for a missing value in Python, JavaScript, PHP, Java, Django, Excel and GA4, and of shops for a guest.
_WORDS = frozenset(
    "0 -1 - -- false none null nil nan undefined empty missing unset unknown guest anonymous anonymoususer n/a na "  # noqa: SIM905 -- not a word a line
    "#n/a (none) [object] {} []".split()
) | {"(not set)", "[object object]", "not set", "(null)", "<null>"}

# An ad macro or a template variable that was not replaced: __CLICKID__, {{ttclid}}, ${id}, %%ID%%, [ID], <id>.
_MACRO = re.compile(
    r"__[A-Za-z0-9_]{1,64}__|\{\{?[^{}]{0,64}\}?\}|\$\{[^{}]{0,64}\}|\$\([^()]{0,64}\)"
    r"|%%?[A-Za-z_][A-Za-z0-9_.]{0,64}%%?|\[\[?[A-Za-z0-9_ .]{0,64}\]?\]|<%?[^<>%]{0,64}%?>|#\{[^{}]{0,64}\}"
)
_ZEROS = frozenset({"0", "-1"})
_MOST_CHARS = 80


def is_placeholder(text: str, *, may_be_zero: bool = False) -> bool:
    """Return whether the text stands for a missing value.

    Args:
        text: the value.
        may_be_zero: whether ``0`` and ``-1`` count as real values.
    """
    bare = text.strip()
    if len(bare) > _MOST_CHARS or (may_be_zero and bare in _ZEROS):
        return False
    return not bare or bare.lower() in _WORDS or _MACRO.fullmatch(bare) is not None
