"""Recognise bots and tools by their user agent, with the list of crawler-user-agents.

The list (https://github.com/monperrus/crawler-user-agents, a release a month) is read once, and only its patterns are
kept. The list's own module keeps ten times as much and tries every pattern on every user agent.
"""

from __future__ import annotations

import logging
import re
import threading
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

import msgspec

from tiktok_middleware._printable import own_logger

__all__ = ["BOT", "PERSON", "TOOL", "kind_of", "make_ready"]

log: logging.Logger = own_logger("tiktok_middleware")

PERSON = ""
#: Crawlers, link previews, monitors.
BOT = "bot"
#: HTTP libraries and automated browsers.
TOOL = "tool"

_TOOL_TAGS = frozenset({"http-library", "browser-automation"})
_MAX_CHARS = 1024
_KEY_CHARS = 3
#: Patterns of the list that match people: a build of OPPO, realme and OnePlus phones, and Facebook's in-app browser.
_PEOPLE = frozenset({r"AP3A\.240617\.008", "MetaIAB Facebook"})
#: The model and build that a phone writes into its platform comment.
_DEVICE = re.compile(r";[^;)]{1,120} Build/[^;)\s]{1,60}")
_CRAWLER_WORD = re.compile(r"crawl|spider|compatible|https?:|@", re.IGNORECASE)
_SPECIAL = re.compile(r"[\^$.|?*+()\[\]{}\\]")
_ESCAPED = re.compile(r"\\([^A-Za-z0-9])")


class _Entry(msgspec.Struct):
    pattern: str
    tags: list[str] = []


class _List(NamedTuple):
    """The patterns of one kind.

    Attributes:
        texts: plain texts by their first characters, so that one pass over a user agent finds them all.
        rest: all other patterns.
    """

    texts: dict[str, tuple[str, ...]]
    rest: re.Pattern[str]

    def knows(self, agent: str) -> bool:
        texts = self.texts
        for at in range(len(agent) - _KEY_CHARS + 1):
            found = texts.get(agent[at : at + _KEY_CHARS])
            if found is not None and agent.startswith(found, at):
                return True
        return self.rest.search(agent) is not None


@lru_cache(maxsize=4096)
def _kind(agent: str) -> str:
    bots, tools = _lists()
    return BOT if bots.knows(agent) else TOOL if tools.knows(agent) else PERSON


def kind_of(agent: str) -> str:
    """Return ``PERSON``, ``BOT`` or ``TOOL``; ``PERSON`` for an empty user agent.

    Args:
        agent: the ``User-Agent`` header; its first 1,024 characters count.
    """
    return _kind(_DEVICE.sub(_without_device, agent[:_MAX_CHARS]))


def _without_device(found: re.Match[str]) -> str:
    """Drop model and build: a third party's list holds patterns that are people's phones."""
    return found[0] if _CRAWLER_WORD.search(found[0]) else ""


def make_ready() -> None:
    """Read the list now, so that no later call blocks an event loop with disk access."""
    _lists()


_lock = threading.Lock()
_read: list[tuple[_List, _List]] = []


def _lists() -> tuple[_List, _List]:
    """Return the patterns of bots and of tools, read once."""
    with _lock:
        if not _read:
            entries = _entries()
            entries = [entry for entry in entries if entry.pattern not in _PEOPLE]
            tools = [entry.pattern for entry in entries if _TOOL_TAGS.intersection(entry.tags)]
            bots = [entry.pattern for entry in entries if not _TOOL_TAGS.intersection(entry.tags)]
            _read.append((_sorted_out(bots), _sorted_out(tools)))
        return _read[0]


def _entries() -> list[_Entry]:
    """Return the list; empty if it cannot be read: then crawlers count as people, so that no person's event is lost."""
    try:
        spec = find_spec("crawleruseragents")
        folder = next(iter(spec.submodule_search_locations or ())) if spec is not None else ""
        return msgspec.json.decode(Path(folder, "crawler-user-agents.json").read_bytes(), type=list[_Entry])
    except (OSError, msgspec.MsgspecError, StopIteration) as error:
        log.warning("the list of crawlers cannot be read (%s): their events are sent as people's", type(error).__name__)
        return []


def _sorted_out(patterns: list[str]) -> _List:
    texts: dict[str, tuple[str, ...]] = {}
    rest = []
    for pattern in patterns:
        text = _ESCAPED.sub(r"\1", pattern)
        if len(text) < _KEY_CHARS or _SPECIAL.search(_ESCAPED.sub("", pattern)):
            rest.append(pattern)
        else:
            key = text[:_KEY_CHARS]
            texts[key] = (*texts.get(key, ()), text)
    return _List(texts, re.compile("|".join(rest) or r"(?!)"))
