"""Bound how long a regular expression may search, from its structure alone."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Iterable
from typing import Any

if sys.version_info >= (3, 11):
    from re import _constants as codes  # pyright: ignore[reportAttributeAccessIssue]
    from re import _parser as parser  # pyright: ignore[reportAttributeAccessIssue]
else:
    import sre_constants as codes
    import sre_parse as parser

__all__ = ["MAX_WAYS", "ways"]

#: Most ways to match from one place. A text of 1,024 characters allows 1,024 for one repetition without a limit, their
#: product for two, and twice as many for each more character where one is inside another.
MAX_WAYS = 5000
_UNLIMITED = 1024

_ONE = {codes.LITERAL, codes.NOT_LITERAL, codes.ANY, codes.IN, codes.AT}
_REPEATS = {codes.MAX_REPEAT, codes.MIN_REPEAT, getattr(codes, "POSSESSIVE_REPEAT", None)}
_AHEAD = {codes.ASSERT, codes.ASSERT_NOT}


def ways(pattern: str) -> int:
    """Return in how many ways a pattern can match from one place of a text; more than ``MAX_WAYS`` is too many.

    Raises:
        re.error: it is no regular expression.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return _all(parser.parse(pattern).data)


def _all(nodes: Iterable[tuple[Any, Any]]) -> int:
    total = 1
    for code, argument in nodes:
        total = min(total * _node(code, argument), MAX_WAYS + 1)
    return total


def _node(code: Any, argument: Any) -> int:
    if code in _ONE:
        return 1
    if code is codes.BRANCH:
        return sum(_all(branch) for branch in argument[1])
    if code is codes.SUBPATTERN:
        return _all(argument[-1])
    if code in _AHEAD:
        return _all(argument[1])
    if code in _REPEATS:
        least, most, inner = argument
        return _repeated(_all(inner), int(least), _UNLIMITED if most is codes.MAXREPEAT else int(most))
    return MAX_WAYS + 1  # what this function does not read, such as a back reference


def _repeated(inner: int, least: int, most: int) -> int:
    """Return the ways of a repetition: one for each number of times, and each has those of all its parts."""
    total, power = 0, 1
    for times in range(min(most, MAX_WAYS) + 1):
        total += power if times >= least else 0
        power *= inner
        if total > MAX_WAYS or power > MAX_WAYS:
            return MAX_WAYS + 1
    return total
