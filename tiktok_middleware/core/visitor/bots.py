"""Decide whether a user agent is a person's browser, a bot or a tool.

The patterns come from a third party's list, which also holds patterns of people's phones and apps. Three facts outweigh
a pattern: the form of a phone's browser, the headers that only browsers send, and the operator's own rules.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from tiktok_middleware.core.http.request import RequestView

__all__ = [
    "BOT",
    "NO_HEADERS",
    "PERSON",
    "TOOL",
    "Agent",
    "BotRule",
    "Origin",
    "Pattern",
    "PatternIndex",
    "decide",
    "sent_by",
]

PERSON = ""
#: Crawlers, link previews, monitors.
BOT = "bot"
#: HTTP libraries and automated browsers.
TOOL = "tool"

_KEY_CHARS = 3

#: The platform comment of a phone: Android's version, perhaps a locale, then the model and perhaps the build.
_DEVICE = re.compile(
    r"(\bAndroid [0-9.]{1,12};(?: ?[A-Za-z]{2}[-_][A-Za-z]{2};)?)"
    r" ?[^;()]{1,120}(?:\([^()]{1,40}\)[^;()]{0,80})?(?=[;)])"
)
#: Model and build elsewhere in a user agent.
_BUILD = re.compile(r";[^;)]{1,120} Build/[^;)\s]{1,60}")
#: A crawler that writes its name where a phone writes its model.
_NO_DEVICE = re.compile(r"crawl|[a-z]spider|compatible|https?:|@[a-z]", re.IGNORECASE)

#: A browser of a phone or tablet, including the web views of apps.
_PHONE = re.compile(r"Mozilla/5(?:\.0)? \((?:Linux; (?:arm_64; )?(?:U; )?Android|iPhone|iPad|iPod)\b")
#: Any browser: a platform comment, then an engine.
_BROWSER = re.compile(r"Mozilla/5\.0 \([^()]{1,300}(?:\([^()]{0,60}\)[^()]{0,100})?\) (?:AppleWebKit|Gecko)/")
#: Words by which a crawler declares itself: what it is, or where its operator can be reached.
_DECLARED = re.compile(
    r"bot\b|bot[/_-]|crawl|spider|compatible;|https?:|@[a-z]|\bagent\b|preview|lighthouse|\b[a-z0-9-]{2,60}\.(?:com|org|net|io)\b",
    re.IGNORECASE,
)

_FETCH_MODES = frozenset({"navigate", "cors", "no-cors", "same-origin", "websocket"})
_FETCH_SITES = frozenset({"none", "same-origin", "same-site", "cross-site"})
_BRAND = re.compile(r'"[^"]{1,60}";\s?v="\d')
_HEADLESS = "HeadlessChrome"

_SPECIAL = re.compile(r"[\^$.|?*+()\[\]{}\\]")
_ESCAPED = re.compile(r"\\([^A-Za-z0-9])")


class Agent(NamedTuple):
    """What sent a request.

    Attributes:
        kind: ``PERSON``, ``BOT`` or ``TOOL``.
        pattern: the pattern that decided; empty without one.
    """

    kind: str
    pattern: str


class Pattern(NamedTuple):
    """One pattern of the list.

    Attributes:
        text: the regular expression.
        kind: ``BOT`` or ``TOOL``.
        drives_browser: whether such programs drive a real browser, whose headers then mean nothing.
    """

    text: str
    kind: str
    drives_browser: bool


class BotRule(NamedTuple):
    """One rule of the operator.

    Attributes:
        is_person: whether a matching user agent is a person's, otherwise it is a bot.
        text: the pattern as it was written.
        pattern: the compiled pattern.
    """

    is_person: bool
    text: str
    pattern: re.Pattern[str]


class Origin(NamedTuple):
    """What the headers beside the user agent say.

    Attributes:
        is_browser: whether a browser sent fetch metadata or client hints.
        is_headless: whether the client hints name an automated browser.
    """

    is_browser: bool = False
    is_headless: bool = False


NO_HEADERS = Origin()


class PatternIndex:
    """The list's patterns, arranged so that one pass over a user agent finds the first that matches.

    Args:
        patterns: the patterns; those that drive browsers are found before others.
    """

    def __init__(self, patterns: Iterable[Pattern]) -> None:
        self._texts: dict[str, list[tuple[str, Pattern]]] = {}
        self._rest: list[Pattern] = []
        for pattern in sorted(patterns, key=lambda pattern: (not pattern.drives_browser, pattern.kind == TOOL)):
            text = _ESCAPED.sub(r"\1", pattern.text)
            if len(text) < _KEY_CHARS or _SPECIAL.search(_ESCAPED.sub("", pattern.text)):
                self._rest.append(pattern)
            else:
                self._texts.setdefault(text[:_KEY_CHARS], []).append((text, pattern))
        self._any_of_rest = re.compile("|".join(pattern.text for pattern in self._rest) or r"(?!)")

    def find(self, agent: str) -> Pattern | None:
        """Return the pattern that matches, one that drives browsers first; None without a match."""
        found = []
        for at in range(len(agent) - _KEY_CHARS + 1):
            for text, pattern in self._texts.get(agent[at : at + _KEY_CHARS], ()):
                if agent.startswith(text, at):
                    found.append(pattern)
        if self._any_of_rest.search(agent):
            found += [pattern for pattern in self._rest if re.search(pattern.text, agent)][:1]
        return min(found, key=lambda pattern: (not pattern.drives_browser, pattern.kind == TOOL), default=None)


def decide(agent: str, index: PatternIndex, rules: Sequence[BotRule] = (), origin: Origin = NO_HEADERS) -> Agent:
    """Return what sent a request.

    The first of the operator's rules that matches decides. Otherwise a pattern of the list decides, with two limits. In
    the browser of a phone it counts only if the user agent also declares a crawler: lists hold names of phones, of
    their builds and of apps with web views. In any other browser that sends fetch metadata or client hints it counts
    only if the user agent declares a crawler, or if the pattern is of programs that drive browsers.

    Args:
        agent: the ``User-Agent`` header.
        index: the patterns.
        rules: the operator's rules.
        origin: what the other headers say.
    """
    for rule in rules:
        if rule.pattern.search(agent):
            return Agent(PERSON if rule.is_person else BOT, rule.text)
    if origin.is_headless:
        return Agent(TOOL, _HEADLESS)
    agent = _BUILD.sub(_without_device, _DEVICE.sub(_without_device, agent))
    found = index.find(agent)
    if found is None:
        return Agent(PERSON, "")
    is_phone = _PHONE.search(agent) is not None
    is_undeclared = _DECLARED.search(agent) is None
    if is_undeclared and (
        is_phone or (origin.is_browser and not found.drives_browser and _BROWSER.match(agent) is not None)
    ):
        return Agent(PERSON, "")
    return Agent(found.kind, found.text)


def _without_device(found: re.Match[str]) -> str:
    """Return the platform comment without model and build, unless a crawler has written its name there."""
    if _NO_DEVICE.search(found[0]):
        return found[0]
    return found[1] if found.re is _DEVICE else ""


def sent_by(request: RequestView) -> Origin:
    """Return what fetch metadata and client hints of a request say."""
    brands = request.header("sec-ch-ua")
    has_metadata = request.header("sec-fetch-mode") in _FETCH_MODES and request.header("sec-fetch-site") in _FETCH_SITES
    return Origin(has_metadata or _BRAND.search(brands) is not None, _HEADLESS in brands)
