"""Parse ``TIKTOK_BROWSER_RULES``: which clicks, submits and inputs of a page are events."""

from __future__ import annotations

import hashlib
import re
from typing import NamedTuple

__all__ = ["RULE_MOMENTS", "BrowserRule", "browser_rules", "read_rules"]

RULE_MOMENTS = ("click", "submit", "input")

_FORM = "rules of the form SELECTOR click|submit|input EVENT, separated by semicolons"
_EXAMPLE = """such as a[href^="tel:"] click Contact; form#lead submit Lead"""
_MAX_RULES = 50
_MAX_CHARS = 8192
_PARTS = re.compile(r"""((?:[^;"'\\]|\\.|"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')*)(;|$)""", re.DOTALL)
#: What a selector holds besides its own words, and a word that no element has: the next rule has begun.
_QUOTED = re.compile(r"""\\.|"[^"]*"|'[^']*'|\[[^\[\]]*\]""", re.DOTALL)
_NEXT_RULE = re.compile(r"(?:^|\s)(?:(?:click|submit)\s|input\s+[^\s;]+[ \t]*\n)")
_EVENT = re.compile(r"[^\s;]{1,50}")


class BrowserRule(NamedTuple):
    """One rule.

    Attributes:
        selector: CSS selector of the elements.
        moment: DOM event on such an element, or inside one: one of :data:`RULE_MOMENTS`.
        event: name of the event, as given.
    """

    selector: str
    moment: str
    event: str

    @property
    def token(self) -> str:
        """What the page's script reports in place of the event's name; other texts are rejected."""
        text = "\0".join(self).encode("utf-8", "surrogatepass")
        return f"rule.{hashlib.sha256(text).hexdigest()[:16]}"


def browser_rules(value: object) -> str:
    """Parse an option with rules; return the text, with single blanks outside of quotes left as they are."""
    if not isinstance(value, str):
        raise ValueError(f"{_FORM}, {_EXAMPLE}")  # noqa: TRY004  # the caller turns it into an error
    text = value.strip()
    read_rules(text)
    return text


def read_rules(text: str) -> tuple[BrowserRule, ...]:
    """Return the rules of a text.

    Raises:
        ValueError: a rule is malformed; the message says which, and why.
    """
    if len(text) > _MAX_CHARS:
        raise ValueError(f"{_FORM}, at most {_MAX_CHARS} characters")
    rules, at = [], 0
    while at < len(text):
        found = _PARTS.match(text, at)
        if found is None:
            raise ValueError(f"{_FORM}; a quote is open in {text[at:].strip()[:100]!r}")
        at = found.end()
        if found[1].strip():
            rules.append(_rule(found[1].strip()))
    if len(rules) > _MAX_RULES:
        raise ValueError(f"{_FORM}, at most {_MAX_RULES} rules")
    if twice := {rule for rule in rules if rules.count(rule) > 1}:
        raise ValueError(f"{_FORM}; the rule {' '.join(twice.pop())!r} is there twice: its events would count twice")
    return tuple(rules)


def _rule(text: str) -> BrowserRule:
    words = text.rsplit(None, 2)
    if len(words) < 3:
        raise ValueError(f"{_FORM}, {_EXAMPLE}; the rule {text[:100]!r} has {len(words)} of its three parts")
    selector, moment, event = words
    if moment not in RULE_MOMENTS:
        raise ValueError(
            f"{_FORM}; the rule {text[:100]!r} has {moment[:20]!r} where one of {', '.join(RULE_MOMENTS)} stands"
        )
    if _NEXT_RULE.search(_QUOTED.sub("", selector)):
        raise ValueError(f"{_FORM}; in the rule {text[:100]!r} a semicolon is missing before the next rule")
    if not (selector.isprintable() or selector.replace("\n", " ").replace("\t", " ").isprintable()):
        raise ValueError(f"{_FORM}; the rule {text[:100]!r} has control characters")
    from tiktok_middleware._css_selectors import check_selector  # noqa: PLC0415  # its patterns take 10 ms to compile

    if problem := check_selector(selector):
        raise ValueError(f"{_FORM}; the selector of the rule {text[:100]!r} is invalid: {problem}")
    if _EVENT.fullmatch(event) is None:
        raise ValueError(f"{_FORM}; the event of the rule {text[:100]!r} is longer than 50 characters")
    return BrowserRule(selector, moment, event)
