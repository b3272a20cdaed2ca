"""May we? The visitor's choice, read from the request; what cannot be read is unknown, never granted."""

from __future__ import annotations

from collections.abc import Callable
from inspect import iscoroutinefunction
from typing import NamedTuple

from tiktok_middleware.core.consent.platforms import BROWSER_ONLY, OPT_OUT_WORDS, opt_out, reader_for
from tiktok_middleware.core.consent.state import State
from tiktok_middleware.core.http.request import RequestView
from tiktok_middleware.core.imported import imported
from tiktok_middleware.errors import ConfigError

__all__ = ["OWN_COOKIE", "SPOKEN_BY", "Consent", "Reader", "State", "bridges", "make_reader", "read_consent"]

#: Our own first-party cookie: what ``grant_consent()`` and ``revoke_consent()`` said last, ``g`` or ``d``.
OWN_COOKIE = "_tt_consent"

#: Where no platform's cookie is read, a Cookie header without any of these texts says nothing about consent.
SPOKEN_BY = (OWN_COOKIE, *OPT_OUT_WORDS)


class Consent(NamedTuple):
    """A visitor's consent, for both channels alike.

    Attributes:
        state: granted, denied or unknown.
        limited_data_use: TikTok's flag for both channels.
        reason: why it is not granted, in a snake_case word.
    """

    state: State
    limited_data_use: bool = False
    reason: str = ""

    @property
    def is_granted(self) -> bool:
        """Whether cookies may be set and events may go."""
        return self.state is State.GRANTED


Reader = Callable[[RequestView], State]


def make_reader(
    setting: str, *, implied: State = State.UNKNOWN, failed: Callable[[BaseException], None] = lambda _: None
) -> Reader:
    """The reader that ``TIKTOK_CONSENT`` names.

    Args:
        setting: a value of the right form.
        implied: what a consent platform's own default, that nobody clicked, counts as.
        failed: is told what a team's own function raised.

    Raises:
        ConfigError: the platform is unknown or lacks its setting, or an ``import:`` path leads to nothing callable.
    """
    kind, _, rest = setting.partition(":")
    if setting in _WITHOUT_COOKIE or (kind == "bridge" and bridges(setting)):
        state = _WITHOUT_COOKIE[kind]
        return lambda _: state
    if kind == "cookie":
        name, _, granted = rest.partition("=")
        return lambda request: _read_cookie(request.cookies.get(name), granted)
    if kind == "import":
        return _guarded(_imported(setting), failed)
    try:
        read = reader_for(setting, implied=implied)
    except ValueError as error:
        raise ConfigError(
            "TIKTOK_CONSENT", setting, f"implied, required, cookie:NAME=VALUE, {_FUNCTION}; or {error}"
        ) from None
    return lambda request: read(request.cookie_header)


def bridges(setting: str) -> tuple[str, ...]:
    """The platforms whose page scripts are asked, all that we know where ``bridge`` names none; empty without a bridge.

    Raises:
        ConfigError: the platform is none that we know how to ask.
    """
    kind, colon, name = setting.partition(":")
    if kind != "bridge":
        return ()
    if colon and name not in BROWSER_ONLY:
        raise ConfigError("TIKTOK_CONSENT", setting, f"bridge, or bridge:NAME with one of {', '.join(BROWSER_ONLY)}")
    return (name,) if colon else BROWSER_ONLY


# Under a bridge the choice comes from the page, and is then read from our own cookie.
_WITHOUT_COOKIE = {"implied": State.GRANTED, "required": State.UNKNOWN, "bridge": State.UNKNOWN}
_FUNCTION = "import:package.module:function"


def read_consent(request: RequestView, reader: Reader, *, gpc: str, limited_data_use: bool) -> Consent:
    """The consent that this request carries.

    A refusal outranks every grant, and so does a legal opt-out (GPP, ``usprivacy``). Then the platform's own answer
    counts; what this site's code said through
    ``grant_consent()`` fills in where the platform says nothing.

    Args:
        request: the request.
        reader: from :func:`make_reader`.
        gpc: what ``Sec-GPC: 1`` means: ``deny``, ``limit`` or ``ignore`` (https://w3c.github.io/gpc/).
        limited_data_use: the site's own setting.
    """
    limited = limited_data_use
    if gpc != "ignore" and request.header("sec-gpc").strip() == "1":
        if gpc == "deny":
            return Consent(State.DENIED, limited, "gpc")
        limited = True
    cookies = request.cookie_header
    own = request.kept.get(OWN_COOKIE) if OWN_COOKIE in cookies else None
    if own == "d":
        return Consent(State.DENIED, limited, "denied")
    opted_out = opt_out(cookies) if cookies else ""
    if opted_out:
        return Consent(State.DENIED, limited, opted_out)
    state = reader(request)
    if state is _GRANTED or (own == "g" and state is State.UNKNOWN):
        return _GRANTED_LIMITED if limited else _GRANTED_FULLY
    return Consent(state, limited, _REASONS[state])


_GRANTED = State.GRANTED
_GRANTED_FULLY, _GRANTED_LIMITED = Consent(_GRANTED), Consent(_GRANTED, limited_data_use=True)


_REASONS = {State.DENIED: "denied", State.UNKNOWN: "consent_unknown"}


def _read_cookie(value: str | None, granted: str) -> State:
    if not value:
        return State.UNKNOWN
    return State.GRANTED if value == granted else State.DENIED


def _imported(setting: str) -> Callable[[RequestView], object]:
    allowed = "a plain function of one argument, the request's facts"
    found = imported("TIKTOK_CONSENT", setting, what="a function", allowed=allowed)
    if iscoroutinefunction(found):
        raise ConfigError("TIKTOK_CONSENT", setting, allowed)
    return found


def _guarded(function: Callable[[RequestView], object], failed: Callable[[BaseException], None]) -> Reader:
    """The team's own function, where anything but a clear yes or no is unknown."""
    answers = {True: State.GRANTED, False: State.DENIED, "granted": State.GRANTED, "denied": State.DENIED}

    def read(request: RequestView) -> State:
        try:
            answer = function(request)
            return answer if isinstance(answer, State) else answers.get(answer, State.UNKNOWN)
        except Exception as error:  # noqa: BLE001  # the team's code: whatever it raises, the visitor has not said yes
            failed(error)
            return State.UNKNOWN

    return read
