"""Event names: standard, retired and reserved ones, and the rule for one's own; it knows nothing of parameters."""

from __future__ import annotations

import re
from typing import Literal, get_args

from tiktok_middleware.core.events.event import PAGE_VIEW
from tiktok_middleware.errors import EventError

__all__ = ["STANDARD_EVENTS", "StandardEvent", "event_name", "sensitive_word"]

StandardEvent = Literal[
    "AddPaymentInfo",
    "AddToCart",
    "AddToWishlist",
    "ApplicationApproval",
    "CompleteRegistration",
    "Contact",
    "CustomizeProduct",
    "Download",
    "FindLocation",
    "InitiateCheckout",
    "Lead",
    "Purchase",
    "Schedule",
    "Search",
    "StartTrial",
    "SubmitApplication",
    "Subscribe",
    "ViewContent",
]
"""TikTok's standard web events (help page "supported standard events", May 2025), which campaigns can optimise for."""

STANDARD_EVENTS: frozenset[str] = frozenset(get_args(StandardEvent))

_RETIRED = {"CompletePayment": "Purchase", "SubmitForm": "Lead"}
_FADING = frozenset({"PlaceAnOrder", "ClickButton"})

# TikTok maps these to standard events by itself, so as custom names they would be counted as something else
# (help page "reserved events", September 2025).
_RESERVED = {
    "AddBilling": "AddPaymentInfo",
    "Browse": PAGE_VIEW,
    "Checkout": "InitiateCheckout",
    "ClickForm": "Lead",
    "ClickInDownloadPage": "Download",
    "ClickToDownload": "Download",
    "Consult": "Contact",
    "ConsultByPhone": "Contact",
    "Registration": "CompleteRegistration",
    "StartCheckout": "InitiateCheckout",
    "ViewConsultationPage": "ViewContent",
    "ViewDownloadPage": "ViewContent",
    "ViewForm": "ViewContent",
}

# What somebody means who writes a name in another case, folded; and the same with the reserved names.
_FOLDED = {name.lower(): name for name in STANDARD_EVENTS | _FADING | {PAGE_VIEW}}
_FOLDED |= {name.lower(): right for name, right in _RETIRED.items()}
_MEANT = {name.lower(): right for name, right in _RESERVED.items()} | _FOLDED

_MAX_CHARS = 50
_CUSTOM = re.compile(rf"[A-Za-z][A-Za-z0-9_-]{{0,{_MAX_CHARS - 1}}}")
_SEPARATORS = re.compile(r"[^A-Za-z0-9]+")
_WORDS = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])")

# TikTok scans event names for data it must not receive (Business Products Terms 2.8): children, health, money trouble.
_SENSITIVE = frozenset(
    "bankruptcy cancer child children clinic credit debt diagnosis disability disease doctor drug health hiv income "  # noqa: SIM905 -- not a word a line
    "kid kids loan medical medication medicine mortgage patient pregnancy pregnant prescription religion salary "
    "sexual ssn therapy".split()
)


def event_name(name: object) -> tuple[str, str | None]:
    """The name both channels carry, and a warning in words where it is not quite what was given.

    Retired names are translated (``CompletePayment`` to ``Purchase``), because TikTok removes the second copy of an
    event only when both carry the same name.

    Args:
        name: a standard name, ``Pageview``, or a custom one: a letter, then at most 49 letters, digits, ``_`` or ``-``.

    Raises:
        EventError: not a name TikTok would count as what it says; the message holds the right one where there is one.
    """
    if not isinstance(name, str):
        raise EventError("event", f"of type {type(name).__name__}", "a name such as 'Purchase'")
    name = str.__str__(name)  # enum members and markup-safe strings are str, too
    if name in STANDARD_EVENTS or name == PAGE_VIEW:
        return name, None
    if name in _RETIRED:
        return _RETIRED[name], f"event {name} was retired by TikTok: sent as {_RETIRED[name]}"
    if name in _FADING:
        return name, f"event {name} is no longer a standard event of TikTok: campaigns cannot optimise for it for long"
    return _custom(name)


def _custom(name: str) -> tuple[str, str | None]:
    """The custom name if TikTok takes it, with a warning where it comes close to a standard or a sensitive one."""
    if name in _RESERVED:
        raise EventError("event", "a name reserved by TikTok", f"{_RESERVED[name]!r}")
    folded = name[: 2 * _MAX_CHARS].lower()
    if folded in _FOLDED:
        raise EventError("event", "a known name in the wrong case", f"{_FOLDED[folded]!r}")
    meant = _MEANT.get(_SEPARATORS.sub("", folded))
    if _CUSTOM.fullmatch(name) is None:
        hint = f"; did you mean {meant!r}?" if meant else ""
        raise EventError("event", _fault(name), f"a letter, then at most 49 letters, digits, '_' or '-'{hint}")
    if meant is not None:
        return name, f"event {name} is sent as a custom event, which campaigns cannot optimise for: {meant} is standard"
    word = sensitive_word(name)
    if word:
        return name, f"event {name} holds the word {word!r}: TikTok must not be sent sensitive data, nor hints of it"
    return name, None


def sensitive_word(text: str) -> str:
    """The first word that hints at data which TikTok must not receive; empty where there is none.

    Args:
        text: words in camel case, or with anything but letters between them.
    """
    return next((word for word in _WORDS.findall(text) if word.lower() in _SENSITIVE), "")


def _fault(name: str) -> str:
    """What is wrong with a custom name, without repeating it: a variable in the wrong place may be personal."""
    if not name:
        return "an empty str"
    if len(name) > _MAX_CHARS:
        return f"a str of {len(name)} characters"
    if not (name[0].isascii() and name[0].isalpha()):
        return "a str that does not begin with a letter"
    return "a str with a space" if any(map(str.isspace, name)) else "a str with other characters"
