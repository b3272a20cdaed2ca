"""Parse event names: accept TikTok's in any spelling, translate other tools' names, validate custom names."""

from __future__ import annotations

import re
import unicodedata
from difflib import get_close_matches
from enum import Enum
from functools import lru_cache
from typing import NamedTuple

from tiktok_middleware.core.events.coerce import is_promise
from tiktok_middleware.core.events.event_aliases import FADING, FOREIGN_EVENTS, NO_COUNTERPART, RESERVED, RETIRED
from tiktok_middleware.core.events.event_catalogue import (
    MAX_CRM_NAME_CHARS,
    MAX_NAME_CHARS,
    PAGE_VIEW,
    STANDARD_EVENTS,
    StandardEvent,
)
from tiktok_middleware.core.visitor.pii import text_reveals
from tiktok_middleware.errors import EventError

__all__ = [
    "STANDARD_EVENTS",
    "Named",
    "StandardEvent",
    "event_name",
    "fired_name",
    "is_offline_event",
    "read_name",
    "sensitive_word",
]


class Named(NamedTuple):
    """An event's name as both channels send it.

    Attributes:
        name: the canonical name.
        note: a message to log once; empty if the name is sent unchanged.
        problem: the fault of the given name, if it had to be rewritten.
    """

    name: str
    note: str = ""
    problem: EventError | None = None


def _fold(name: str) -> str:
    """Return the name as one lower-case word: ``add-to-cart``, ``Add To Cart`` and ``AddToCart`` are the same."""
    return "".join(filter(str.isalnum, name)).lower()


_KNOWN = STANDARD_EVENTS | FADING.keys() | {PAGE_VIEW}
_SPELLINGS: dict[str, str] = {
    **{_fold(name): right for name, right in RESERVED.items()},
    **{_fold(name): right for name, right in FOREIGN_EVENTS.items()},
    **{_fold(name): right for name, right in RETIRED.items()},
    **{_fold(name): name for name in _KNOWN},
}
_FOLDED = {_fold(name): name for name in (*STANDARD_EVENTS, PAGE_VIEW)}
_ALMOST = 0.87  # a letter too many, missing or wrong, in a word of eight
_NO_COUNTERPART = frozenset(map(_fold, NO_COUNTERPART))
_RESERVED = frozenset(map(_fold, RESERVED))

_CUSTOM = re.compile(rf"[A-Za-z][A-Za-z0-9_-]{{0,{MAX_NAME_CHARS - 1}}}")
_CUSTOM_ALLOWED = f"a letter, then at most {MAX_NAME_CHARS - 1} letters, digits, '_' or '-'"
_OTHERS = re.compile(r"[^A-Za-z0-9_-]+")
_NOT_A_LETTER = re.compile(r"[^A-Za-z]+")
_WORDS = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])")
_MOST_CHARS_READ = 4 * MAX_NAME_CHARS

# TikTok scans event names for data that it must not receive (Business Products Terms 2.8): children, health, debts.
_SENSITIVE = frozenset(
    "bankruptcy cancer child children clinic credit debt diagnosis disability disease doctor drug health hiv income "  # noqa: SIM905 -- not a word a line
    "kid kids loan medical medication medicine mortgage patient pregnancy pregnant prescription religion salary "
    "sexual ssn therapy".split()
)


def event_name(name: object) -> tuple[str, str | None]:
    """Return the name that both channels carry, and a warning if it differs from the given one.

    Args:
        name: a standard name, ``Pageview``, another tool's name for one of these, or a custom name: a letter, then at
            most 49 letters, digits, ``_`` or ``-``.

    Raises:
        EventError: TikTok would reject the name; the message holds the correct name if there is one.
    """
    named = read_name(name)
    if named.problem is not None:
        raise named.problem
    return named.name, named.note or None


def read_name(name: object, source: str = "web") -> Named:
    """Return the name to send, with a note or a problem if it differs from the given one.

    Translate retired names, other spellings and other tools' names, because TikTok removes the second copy of an event
    only if both copies carry the same name. Rewrite an invalid custom name, and report its fault.

    Args:
        name: as for :func:`event_name`.
        source: TikTok's ``event_source``; ``crm`` accepts custom names of any script.

    Raises:
        EventError: no name can be read from it.
    """
    if issubclass(type(name), Enum):
        name = name.value  # type: ignore[attr-defined]  # every member has it
    if not issubclass(type(name), str) and is_promise(name):
        name = _translated(name)
    if not issubclass(type(name), str):  # isinstance() would read the object's own __class__
        raise EventError("event", f"of type {type(name).__name__}", "a name such as 'Purchase'")
    name = str.__str__(name)  # pyright: ignore[reportArgumentType]  # enum members and markup-safe strings are str too
    if name in STANDARD_EVENTS or name == PAGE_VIEW:
        return Named(name)
    return _known(name, source) or (_crm_name(name) if source == "crm" else _custom(name))


def _translated(name: object) -> object:
    """Return the text of a lazy translation; the object itself if it has none."""
    try:
        return str(name)
    except Exception:  # noqa: BLE001 -- the app's object may do anything when it is read
        return name


def fired_name(name: str, known: str) -> str:
    """Return the name under which TikTok counts a copy that a page's own script has sent.

    TikTok translates retired names itself. It counts another spelling of a standard name as a custom event.

    Args:
        name: the name that the script used.
        known: the result of :func:`event_name` for this name.
    """
    is_custom = name not in RETIRED and _CUSTOM.fullmatch(name) is not None
    return name if is_custom else known


def is_offline_event(name: str) -> bool:
    """Return whether an offline event set accepts the event. Such sets accept no custom names."""
    return name in STANDARD_EVENTS or name in FADING


def sensitive_word(text: str) -> str:
    """Return the first word that hints at data that TikTok must not receive; empty if there is none.

    Args:
        text: words in camel case, or separated by characters other than letters.
    """
    return next((word for word in _WORDS.findall(text) if word.lower() in _SENSITIVE), "")


def _known(name: str, source: str) -> Named | None:
    """Return TikTok's event for a name in any spelling, or for another tool's name; None if there is no certain one."""
    folded = _fold(_plain(name))
    if source == "crm" and folded in _RESERVED:  # a name of a CRM stage, which TikTok does not translate
        return None
    right = _SPELLINGS.get(folded)
    if right is None:
        return None
    if name in RESERVED:
        return Named(right, problem=EventError("event", "a name reserved by TikTok", repr(right)))
    if name in RETIRED:
        return Named(right, f"event {name} was retired by TikTok: sent as {right}")
    if right in FADING:
        note = f"event {right} is no longer a standard event of TikTok: campaigns cannot optimise for it for long"
        return Named(right, note)
    return Named(right, f"event {_shown(name)} is sent as TikTok's {right}")


def _custom(name: str) -> Named:
    """Return the name as a custom name for the web, rewritten if TikTok would reject it."""
    if _CUSTOM.fullmatch(name) is not None:
        return Named(name, _note_on(name))
    problem = EventError("event", _fault(name), _CUSTOM_ALLOWED)
    if text_reveals(name[:_MOST_CHARS_READ]):
        raise problem
    rewritten = _rewritten(name)
    if not rewritten or sensitive_word(rewritten):
        raise problem
    if _fold(rewritten) in _NO_COUNTERPART:
        return Named(rewritten, _note_on(rewritten))
    return Named(rewritten, problem=problem)


def _crm_name(name: str) -> Named:
    """Return the name of a CRM stage, which may use any script and contain spaces."""
    text = " ".join("".join(char if char.isprintable() else " " for char in name[:_MOST_CHARS_READ]).split())
    allowed = f"a name of 1 to {MAX_CRM_NAME_CHARS} characters"
    if not any(map(str.isalnum, text)):
        raise EventError("event", "a str without letters", allowed)
    if text_reveals(text):
        raise EventError("event", "a name with an e-mail address or a phone number", allowed)
    if len(text) > MAX_CRM_NAME_CHARS:
        cut = text[:MAX_CRM_NAME_CHARS].rstrip()
        return Named(cut, problem=EventError("event", f"a str of {len(name)} characters", allowed))
    return Named(text, _note_on(text))


def _note_on(name: str) -> str:
    """Return the note on a custom name; empty if there is none."""
    if _fold(name) in _NO_COUNTERPART:
        return f"event {name} has no counterpart among TikTok's standard events: it is sent as a custom event"
    word = sensitive_word(name)
    if word:
        return f"event {name} holds the word {word!r}: TikTok must not be sent sensitive data, nor hints of it"
    nearest = _nearest(_fold(name))
    return f"event {name} is sent as a custom event; did you mean {nearest}?" if nearest else ""


@lru_cache(maxsize=256)  # comparing takes 40 us, and an app has few names
def _nearest(folded: str) -> str:
    """Return the standard event whose name differs by about a letter; empty if there is none."""
    found = get_close_matches(folded, _FOLDED, 1, _ALMOST)
    return _FOLDED[found[0]] if found else ""


def _rewritten(name: str) -> str:
    """Return the name reduced to characters that TikTok accepts; empty if no letter is left."""
    letters = unicodedata.normalize("NFKD", name[:_MOST_CHARS_READ])
    bare = "".join(char for char in letters if not unicodedata.combining(char))
    begin = _NOT_A_LETTER.match(bare)
    joined = _OTHERS.sub("_", bare[begin.end() :] if begin else bare)
    return joined[:MAX_NAME_CHARS].strip("_-")


def _plain(name: str) -> str:
    """Return the name with full-width letters as ASCII."""
    short = name[: 2 * MAX_NAME_CHARS]
    return short if short.isascii() else unicodedata.normalize("NFKC", short)


def _shown(name: str) -> str:
    """Return the given name for a message. It stands for a known event, so it is not personal."""
    return "".join(char for char in name[: 2 * MAX_NAME_CHARS] if char.isprintable()).strip()


def _fault(name: str) -> str:
    """Describe the fault of a custom name without quoting the name, which may be personal data passed by mistake."""
    if not name:
        return "an empty str"
    if len(name) > MAX_NAME_CHARS:
        return f"a str of {len(name)} characters"
    if not (name[0].isascii() and name[0].isalpha()):
        return "a str that does not begin with a letter"
    return "a str with a space" if any(map(str.isspace, name)) else "a str with other characters"
