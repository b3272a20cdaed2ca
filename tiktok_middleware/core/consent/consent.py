"""Read the visitor's consent from a request. An unreadable record counts as unknown, never as granted."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from inspect import iscoroutinefunction
from typing import Any, NamedTuple

from tiktok_middleware.core.consent.bridge_settings import bridges
from tiktok_middleware.core.consent.platforms import reader_for
from tiktok_middleware.core.consent.platforms._decoding import decoded, read_copies, values_by_name
from tiktok_middleware.core.consent.precedence import SAID_COOKIE, Newer, Word, newer, read_word, winner
from tiktok_middleware.core.consent.signals import OPT_OUT_WORDS, opt_out
from tiktok_middleware.core.consent.state import State
from tiktok_middleware.core.http.cookies import MAX_HEADER_CHARS
from tiktok_middleware.core.http.request import RequestView
from tiktok_middleware.core.import_setting import imported
from tiktok_middleware.errors import ConfigError

__all__ = [
    "OWN_COOKIE",
    "SPOKEN_BY",
    "Consent",
    "Reader",
    "State",
    "is_superseded",
    "make_reader",
    "read_consent",
    "stored_word",
]

#: Our own first-party cookie: ``g`` after ``grant_consent()``, ``d`` after ``revoke_consent()``.
OWN_COOKIE = "_tt_consent"

#: If no platform's cookie is read, a Cookie header without any of these texts holds no consent.
SPOKEN_BY = (OWN_COOKIE, *OPT_OUT_WORDS)


class Consent(NamedTuple):
    """A visitor's consent. It applies to both channels.

    Attributes:
        state: granted, denied or unknown.
        limited_data_use: TikTok's flag for both channels.
        reason: one snake_case word when consent is not granted.
    """

    state: State
    limited_data_use: bool = False
    reason: str = ""

    @property
    def is_granted(self) -> bool:
        """Whether cookies may be set and events may be sent."""
        return self.state is State.GRANTED


class ConsentReading(NamedTuple):
    """The result of a reader for one request.

    Attributes:
        state: granted, denied or unknown.
        limited_data_use: whether TikTok's flag is set for this visitor.
    """

    state: State
    limited_data_use: bool = False


_PLAIN_ANSWERS = {state: ConsentReading(state) for state in State}


class Reader:
    """Reads a visitor's consent from a request, as configured by ``TIKTOK_CONSENT``.

    Args:
        read: returns the platform's state, or an :class:`Answer`, for a request.
        changed_at_ms: returns the time of the platform's record, in Unix milliseconds; 0 if it has none.
        is_platform: whether a platform has a record of its own; False for ``implied`` and ``required``.
        is_bridged: whether a bridge in the page reads the platform if the request holds no answer.
        may_limit: whether the answers may set TikTok's flag for some visitors only.
    """

    __slots__ = ("_read", "changed_at_ms", "is_bridged", "is_platform", "may_limit")

    def __init__(
        self,
        read: Callable[[RequestView], State | ConsentReading],
        changed_at_ms: Callable[[RequestView], int] = lambda _: 0,
        *,
        is_platform: bool = True,
        is_bridged: bool = False,
        may_limit: bool = False,
    ) -> None:
        self._read = read
        self.changed_at_ms: Callable[[RequestView], int] = changed_at_ms
        self.is_platform: bool = is_platform
        self.is_bridged: bool = is_bridged
        self.may_limit: bool = may_limit

    def __call__(self, request: RequestView) -> State:
        return self.answer(request).state

    def answer(self, request: RequestView) -> ConsentReading:
        """Return the state and TikTok's flag."""
        found = self._read(request)
        return found if type(found) is ConsentReading else _PLAIN_ANSWERS[found]  # type: ignore[index]  # a State

    def while_current(self, is_current: Callable[[RequestView], bool]) -> Reader:
        """Return a reader that treats a grant of an older policy version as unknown.

        Args:
            is_current: returns whether the request's record is of the current policy version.
        """

        def read(request: RequestView) -> ConsentReading:
            answer = self.answer(request)
            is_old = answer.state is State.GRANTED and not is_current(request)
            return answer._replace(state=State.UNKNOWN) if is_old else answer

        return Reader(
            read,
            self.changed_at_ms,
            is_platform=self.is_platform,
            is_bridged=self.is_bridged,
            may_limit=self.may_limit,
        )


def make_reader(
    setting: str, *, implied: State = State.UNKNOWN, failed: Callable[[BaseException], None] = lambda _: None
) -> Reader:
    """Return the reader for a value of ``TIKTOK_CONSENT``.

    Args:
        setting: a value of valid form.
        implied: the state for a platform's default grant without a click.
        failed: receives exceptions that the app's own function raised.

    Raises:
        ConfigError: the platform is unknown or lacks its setting, or an ``import:`` path has no callable target.
    """
    kind, _, rest = setting.partition(":")
    if setting in _WITHOUT_PLATFORM:
        state = _WITHOUT_PLATFORM[kind]
        return Reader(lambda _: state, is_platform=False)
    if kind == "bridge" and bridges(setting):
        return Reader(_reported, is_bridged=True)
    if kind == "cookie":
        name, _, granted = rest.partition("=")
        return Reader(
            lambda request: read_copies(request.cookie_header, name, lambda value: _own_cookie(value, granted))
        )
    if kind == "import":
        return Reader(_guarded(_imported(setting), failed), may_limit=True)
    try:
        read = reader_for(setting, implied=implied)
    except ValueError as error:
        raise ConfigError(
            "TIKTOK_CONSENT", setting, f"implied, required, cookie:NAME=VALUE, {_FUNCTION}; or {error}"
        ) from None
    if bridges(setting):
        return Reader(
            lambda request: _known(read(request.cookie_header), request),
            lambda request: read.changed_at_ms(request.cookie_header),
            is_bridged=True,
        )
    return Reader(
        lambda request: read(request.cookie_header), lambda request: read.changed_at_ms(request.cookie_header)
    )


_WITHOUT_PLATFORM = {"implied": State.GRANTED, "required": State.UNKNOWN}
_FUNCTION = "import:package.module:function"


def read_consent(
    request: RequestView, reader: Reader, *, gpc: str, limited_data_use: bool, word: Word | None = None
) -> Consent:
    """Return the consent of the request's visitor.

    A legal opt-out (Global Privacy Control, GPP, ``usprivacy``) overrides everything. Then ``precedence.WINNERS``
    decides between the platform's record and the choice that this site has stored.

    Args:
        request: the request.
        reader: from :func:`make_reader`.
        gpc: the effect of ``Sec-GPC: 1``: ``deny``, ``limit`` or ``ignore`` (https://w3c.github.io/gpc/).
        limited_data_use: the site's own setting.
        word: the visitor's new choice, which replaces the one in our cookies; None without a new choice.
    """
    limited = limited_data_use
    if gpc != "ignore" and has_signal(request.header("sec-gpc")):
        if gpc == "deny":
            return Consent(State.DENIED, limited, "gpc")
        limited = True
    cookies = request.cookie_header
    if len(cookies) > MAX_HEADER_CHARS and word is None:
        return _of_long_header(cookies, limited=limited)
    opted_out = opt_out(cookies) if cookies else ""
    if opted_out:
        return Consent(State.DENIED, limited, opted_out)
    platform, is_limited = reader.answer(request)
    limited = limited or is_limited
    if word is None and OWN_COOKIE in cookies:
        word = stored_word(request)
    state = _decide(request, reader, platform, word) if word is not None and word.letter else platform
    if state is _GRANTED:
        return _GRANTED_LIMITED if limited else _GRANTED_FULLY
    return Consent(state, limited, _REASONS[state])


def stored_word(request: RequestView) -> Word:
    """Return the visitor's choice in our cookies.

    If this request's page reports its platform's state, a grant that an earlier page has reported is ignored.
    """
    cookies = request.cookie_header
    if OWN_COOKIE not in cookies:
        return Word()
    word = read_word(*values_by_name(cookies, OWN_COOKIE, SAID_COOKIE).values())
    is_reported_grant = word.letter == "g" and not word.at_ms
    return Word() if request.reported is not None and is_reported_grant else word


def is_superseded(request: RequestView, reader: Reader) -> bool:
    """Return whether the platform's record has changed since our cookies were written, which makes them obsolete."""
    if SAID_COOKIE not in request.cookie_header or not reader.is_platform:
        return False
    word = stored_word(request)
    return bool(word.letter) and newer(word, reader(request), lambda: reader.changed_at_ms(request)) is Newer.PLATFORM


def _decide(request: RequestView, reader: Reader, platform: State, word: Word) -> State:
    if not reader.is_platform:
        return State.GRANTED if word.letter == "g" else State.DENIED
    return winner(platform, word, lambda: reader.changed_at_ms(request))


def has_signal(header: str) -> bool:
    """Return whether a ``Sec-GPC`` header, possibly repeated, is 1 (https://w3c.github.io/gpc/)."""
    return any(part.strip() == "1" for part in header.split(","))


def _of_long_header(cookies: str, *, limited: bool) -> Consent:
    """Return denied or unknown, never granted, for a cookie header that is too long to be parsed."""
    if _STORED_REFUSAL.search(cookies):
        return Consent(State.DENIED, limited, "denied")
    return Consent(State.UNKNOWN, limited, "cookies_too_long")


_STORED_REFUSAL = re.compile(rf"(?:^|;)\s?{OWN_COOKIE}=d\s?(?:;|$)")

_GRANTED = State.GRANTED
_GRANTED_FULLY, _GRANTED_LIMITED = Consent(_GRANTED), Consent(_GRANTED, limited_data_use=True)


_REASONS = {State.DENIED: "denied", State.UNKNOWN: "consent_unknown"}


def _reported(request: RequestView) -> State:
    """Return the state that the page has reported with this request; unknown if it has reported none."""
    return {"g": State.GRANTED, "d": State.DENIED}.get(request.reported or "", State.UNKNOWN)


def _known(state: State, request: RequestView) -> State:
    """Return the cookie's state; if it is unknown, the state that the page has reported."""
    return _reported(request) if state is State.UNKNOWN else state


def _own_cookie(value: str, granted: str) -> State:
    """Return the state of the site's own cookie: granted for exactly one value, denied for any other."""
    if not value:
        return State.UNKNOWN
    try:
        text = decoded(value)
    except ValueError:
        text = value
    return State.GRANTED if granted in {value, text} else State.DENIED


def _imported(setting: str) -> Callable[[RequestView], object]:
    allowed = "a plain function of one argument, the request's facts"
    found = imported("TIKTOK_CONSENT", setting, what="a function", allowed=allowed)
    if iscoroutinefunction(found):
        raise ConfigError("TIKTOK_CONSENT", setting, allowed)
    return found


def _guarded(
    function: Callable[[RequestView], object], failed: Callable[[BaseException], None]
) -> Callable[[RequestView], ConsentReading]:
    """Wrap the app's own function: exceptions and unclear results count as unknown."""

    def read(request: RequestView) -> ConsentReading:
        try:
            return _own_answer(function(request))
        except Exception as error:  # noqa: BLE001  # the app's code may raise anything; that is never a grant
            failed(error)
            return _PLAIN_ANSWERS[State.UNKNOWN]

    return read


_OWN_STATES = {True: State.GRANTED, False: State.DENIED, "granted": State.GRANTED, "denied": State.DENIED}


def _own_answer(answer: Any) -> ConsentReading:
    """Convert the result of the app's own function: yes or no, with or without TikTok's flag; else unknown."""
    limited: object = False
    if isinstance(answer, Mapping):
        answer, limited = answer.get("consent", answer.get("state")), answer.get("limited_data_use", False)
    elif isinstance(answer, tuple) and len(answer) >= 2:  # a Consent is a tuple too
        answer, limited = answer[0], answer[1]
    elif answer == "limited":
        answer, limited = "granted", True
    state = answer if isinstance(answer, State) else _OWN_STATES.get(answer, State.UNKNOWN)
    return ConsentReading(state, bool(limited))
