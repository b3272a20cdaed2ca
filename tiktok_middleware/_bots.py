"""Recognise bots and tools by their user agent, with the list of crawler-user-agents.

The list (https://github.com/monperrus/crawler-user-agents, a release a month) is read once, and only its patterns are
kept. The list's own module keeps ten times as much and tries every pattern on every user agent. The decision itself is
in ``core/visitor/bots.py``.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Sequence
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path

import msgspec

from tiktok_middleware._printable import own_logger
from tiktok_middleware.core.visitor.bots import (
    BOT,
    NO_HEADERS,
    TOOL,
    Agent,
    BotRule,
    Origin,
    Pattern,
    PatternIndex,
    decide,
)

__all__ = ["agent_of", "make_ready"]

log: logging.Logger = own_logger("tiktok_middleware")

_TOOL_TAGS = frozenset({"http-library", "browser-automation"})
_BROWSER_TAGS = frozenset({"browser-automation", "monitoring"})
_MAX_CHARS = 1024


class _Entry(msgspec.Struct):
    pattern: str
    tags: list[str] = []


def agent_of(agent: str, rules: Sequence[BotRule] = (), origin: Origin = NO_HEADERS) -> Agent:
    """Return what sent a request; a person for an empty user agent.

    Args:
        agent: the ``User-Agent`` header; its first 1,024 characters count.
        rules: the operator's rules.
        origin: what the other headers say.
    """
    return _agent_of(agent[:_MAX_CHARS], tuple(rules), origin)


@lru_cache(maxsize=4096)
def _agent_of(agent: str, rules: tuple[BotRule, ...], origin: Origin) -> Agent:
    return decide(agent, _index(), rules, origin)


def make_ready() -> None:
    """Read the list now, so that no later call blocks an event loop with disk access."""
    _index()


_lock = threading.Lock()
_read: list[PatternIndex] = []


def _index() -> PatternIndex:
    """Return the list's patterns, read once."""
    with _lock:
        if not _read:
            _read.append(PatternIndex(map(_pattern, _entries())))
        return _read[0]


def _pattern(entry: _Entry) -> Pattern:
    tags = entry.tags
    return Pattern(
        entry.pattern,
        TOOL if _TOOL_TAGS.intersection(tags) else BOT,
        drives_browser=not _BROWSER_TAGS.isdisjoint(tags),
    )


def _entries() -> list[_Entry]:
    """Return the list; empty if it cannot be read: then crawlers count as people, so that no person's event is lost."""
    try:
        spec = find_spec("crawleruseragents")
        folder = next(iter(spec.submodule_search_locations or ())) if spec is not None else ""
        return msgspec.json.decode(Path(folder, "crawler-user-agents.json").read_bytes(), type=list[_Entry])
    except (OSError, msgspec.MsgspecError, StopIteration) as error:
        log.warning("the list of crawlers cannot be read (%s): their events are sent as people's", type(error).__name__)
        return []
