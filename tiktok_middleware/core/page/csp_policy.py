"""Parse one Content Security Policy and find the directive that governs a kind of load."""

from __future__ import annotations

import re
from functools import cached_property

from tiktok_middleware.core.page.csp_sources import SourceList

__all__ = ["CONNECT_SRC", "DEFAULT_SRC", "IMG_SRC", "SCRIPT_SRC", "Policy", "words_of"]

SCRIPT_SRC, CONNECT_SRC, IMG_SRC, DEFAULT_SRC = "script-src", "connect-src", "img-src", "default-src"

# The first of these directives in a policy governs (https://www.w3.org/TR/CSP3/#directive-fallback-list).
_FALLBACKS = {SCRIPT_SRC: ("script-src-elem", SCRIPT_SRC, DEFAULT_SRC)}

_WORD = re.compile(r"[^ \t\n\f\r]+")


def words_of(directive: str) -> list[str]:
    """Return name and sources of a directive; empty if it is none. Browsers ignore directives that are not ASCII."""
    return _WORD.findall(directive) if directive.isascii() else []


class Policy:
    """One policy of a header's list."""

    def __init__(self, text: str) -> None:
        self.directives: dict[str, tuple[str, ...]] = {}
        for directive in text.split(";"):
            words = words_of(directive)
            if words:  # the first directive of a name counts
                self.directives.setdefault(words[0].lower(), tuple(words[1:]))

    def governing(self, kind: str) -> str:
        """Return the name of the directive that governs a kind of load; empty if that kind is not restricted."""
        return next((name for name in _FALLBACKS.get(kind, (kind, DEFAULT_SRC)) if name in self.directives), "")

    def sources(self, kind: str) -> SourceList:
        """Return the sources of the governing directive."""
        return SourceList(self.directives.get(self.governing(kind), ()))

    @cached_property
    def scripts(self) -> SourceList:
        return self.sources(SCRIPT_SRC)

    @property
    def forbids_scripts(self) -> bool:
        """Whether the policy sandboxes the page without ``allow-scripts``."""
        flags = self.directives.get("sandbox")
        return flags is not None and "allow-scripts" not in map(str.lower, flags)

    @property
    def lets_inline_run(self) -> bool:
        """Whether an inline script can run if it has the right nonce."""
        if self.forbids_scripts:
            return False
        return not self.governing(SCRIPT_SRC) or self.scripts.allows_any_inline or bool(self.scripts.nonces)

    def inherited(self, kind: str) -> list[str]:
        """Return the sources of ``default-src`` that a new directive must repeat to allow the same loads.

        Sources that only apply to scripts and styles, such as nonces, are left out for other kinds.
        """
        sources = [source for source in self.directives[DEFAULT_SRC] if source.lower() != "'none'"]
        if kind == SCRIPT_SRC:
            return sources
        return [source for source in sources if not source.startswith("'") or source.lower() == "'self'"]
