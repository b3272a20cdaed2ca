"""Check CSS selectors, so that a selector that browsers reject stops the start and not a click."""

from __future__ import annotations

import re

__all__ = ["check_selector"]

# https://www.w3.org/TR/selectors-4/#grammar and https://www.w3.org/TR/css-syntax-3/#ident-token-diagram
# One to six hexadecimal digits; written so that there is one way to read them, and matching stays linear.
_ESCAPE = r"\\(?:[0-9A-Fa-f]{6}\s?|[0-9A-Fa-f]{1,5}(?![0-9A-Fa-f])\s?|[^\n0-9A-Fa-f])"
_START = rf"(?:[A-Za-z_\u0080-\U0010ffff]|{_ESCAPE})"
_IDENT = rf"(?:--|-?{_START})(?:[A-Za-z0-9_\-\u0080-\U0010ffff]|{_ESCAPE})*"
_STRING = r"""(?:"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*')"""

_TYPE = re.compile(rf"{_IDENT}|\*")
_ID_OR_CLASS = re.compile(rf"[#.]{_IDENT}")
_ATTRIBUTE = re.compile(rf"\[\s*{_IDENT}\s*(?:[~|^$*]?=\s*(?:{_IDENT}|{_STRING})\s*(?:(?<=[\s\"'])[iIsS]\s*)?)?\]")
_PSEUDO = re.compile(rf":({_IDENT})")
_COMBINATOR = re.compile(r"\s*[>+~]\s*|\s+")
_NUMBERS_ARGUMENT = re.compile(r"\s*(?:odd|even|[+-]?\d*n(?:\s*[+-]\s*\d+)?|[+-]?\d+)\s*\)", re.IGNORECASE)
_WORD_ARGUMENT = re.compile(rf"\s*(?:{_IDENT}|{_STRING})\s*\)")
_SPACE = re.compile(r"\s*")

_PLAIN = frozenset(
    {
        *("active", "any-link", "autofill", "checked", "default", "defined", "disabled", "empty", "enabled"),
        *("first-child", "first-of-type", "focus", "focus-visible", "focus-within", "fullscreen", "hover", "in-range"),
        *("indeterminate", "invalid", "last-child", "last-of-type", "link", "modal", "only-child", "only-of-type"),
        *("optional", "out-of-range", "placeholder-shown", "read-only", "read-write", "required", "root", "scope"),
        *("target", "user-invalid", "user-valid", "valid", "visited"),
    }
)
_WITH_SELECTORS = frozenset({"is", "not", "where", "has"})
_WITH_NUMBERS = frozenset({"nth-child", "nth-last-child", "nth-of-type", "nth-last-of-type"})
_WITH_WORD = frozenset({"lang", "dir"})
_MAX_DEPTH = 8


def check_selector(selector: str) -> str:
    """Return why browsers would reject a list of selectors; empty if they accept it."""
    try:
        end = _list(selector, _SPACE.match(selector).end(), 0)  # type: ignore[union-attr]  # always matches
    except ValueError as error:
        return str(error)
    return "" if end == len(selector) else f"{selector[end:][:20]!r} is no selector"


def _list(text: str, at: int, depth: int, *, is_relative: bool = False, is_in_has: bool = False) -> int:
    """Return the position behind a list of selectors that begins at ``at``."""
    if depth > _MAX_DEPTH:
        raise ValueError("it is nested too deeply")
    while True:
        if is_relative and (found := re.compile(r"\s*[>+~]\s*").match(text, at)):
            at = found.end()
        at = _complex(text, at, depth, is_in_has=is_in_has or is_relative)
        if text[at : at + 1] != ",":
            return at
        at = _SPACE.match(text, at + 1).end()  # type: ignore[union-attr]  # always matches


def _complex(text: str, at: int, depth: int, *, is_in_has: bool) -> int:
    at = _compound(text, at, depth, is_in_has=is_in_has)
    while found := _COMBINATOR.match(text, at):
        behind = found.end()
        if not found[0].strip() and text[behind : behind + 1] in {"", ",", ")"}:
            return behind
        at = _compound(text, behind, depth, is_in_has=is_in_has)
    return at


def _compound(text: str, at: int, depth: int, *, is_in_has: bool) -> int:
    start = at
    if found := _TYPE.match(text, at):
        at = found.end()
    while text[at : at + 1] in {"#", ".", "[", ":"}:
        if text[at] == ":":
            at = _pseudo(text, at, depth, is_in_has=is_in_has)
            continue
        found = (_ATTRIBUTE if text[at] == "[" else _ID_OR_CLASS).match(text, at)
        if found is None:
            raise ValueError(f"{text[at:][:20]!r} is no {_KINDS[text[at]]}")
        at = found.end()
    if at == start:
        raise ValueError(f"{text[at:][:20]!r} is no selector" if text[at:] else "a selector is missing at its end")
    return at


_KINDS = {"#": "id", ".": "class", "[": "attribute selector"}


def _pseudo(text: str, at: int, depth: int, *, is_in_has: bool) -> int:
    if text.startswith("::", at):
        raise ValueError("pseudo-elements such as ::before get no events")
    found = _PSEUDO.match(text, at)
    name = found[1].lower() if found else ""
    end = found.end() if found else at
    if text[end : end + 1] != "(":
        if name not in _PLAIN:
            raise ValueError(f"{text[at:][:20]!r} is no pseudo-class")
        return end
    if name == "has" and is_in_has:
        raise ValueError(":has is not allowed inside :has")
    if name in _WITH_SELECTORS:
        inner = _SPACE.match(text, end + 1).end()  # type: ignore[union-attr]  # always matches
        end = _list(text, inner, depth + 1, is_relative=name == "has", is_in_has=is_in_has)
        if text[end : end + 1] != ")":
            raise ValueError(f"a bracket is open after :{name}")
        return end + 1
    behind = None
    if name in _WITH_NUMBERS:
        behind = _NUMBERS_ARGUMENT.match(text, end + 1)
    elif name in _WITH_WORD:
        behind = _WORD_ARGUMENT.match(text, end + 1)
    if behind is None:
        raise ValueError(f"{text[at:][:20]!r} is no pseudo-class")
    return behind.end()
