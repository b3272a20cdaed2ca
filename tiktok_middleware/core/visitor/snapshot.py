"""Encode a visitor as a signed token that an app keeps with an order or a payment, and decode such a token."""

from __future__ import annotations

import ipaddress
import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple
from urllib.parse import unquote, urlsplit

import msgspec

from tiktok_middleware.core.consent.consent import Consent, State
from tiktok_middleware.core.http.proxies import Proxies
from tiktok_middleware.core.http.request import RequestView
from tiktok_middleware.core.signing import Signer
from tiktok_middleware.core.visitor.click_ids import Visitor, is_ttclid, is_ttp
from tiktok_middleware.core.visitor.pii import scrubbed
from tiktok_middleware.core.visitor.user_data import Identity
from tiktok_middleware.errors import EventError, TokenError

__all__ = ["SNAPSHOT_MAX_AGE_S", "Snapshot", "SnapshotRequest", "check_max_chars", "read_snapshot", "write_snapshot"]

#: Maximum age of a token: 400 days, as long as the outbox keeps the claim of a ``once`` event.
SNAPSHOT_MAX_AGE_S = 400 * 86400

_PURPOSE = "snapshot"
_MAX_TOKEN_CHARS = 8192
_MAX_URL_CHARS = 2048
_MAX_USER_AGENT_CHARS = 1024
_MAX_PLACE_CHARS = 200
_MAX_VALUES = 10


class Snapshot(NamedTuple):
    """The known data of a visitor.

    Attributes:
        consent: the visitor's choice. Without consent, the token holds nothing else.
        ttclid, ttp: as in :class:`Visitor`.
        ip: the visitor's IP address, determined behind trusted proxies.
        user_agent: the browser's user agent, at most 1,024 characters.
        url: URL of the page, redacted as for the server channel.
        identity: hashed identity.
    """

    consent: Consent
    ttclid: str = ""
    ttp: str = ""
    ip: str = ""
    user_agent: str = ""
    url: str = ""
    identity: Identity = Identity()

    @property
    def visitor(self) -> Visitor:
        """The ids, without cookies to write."""
        return Visitor(self.ttclid, self.ttp, (), "", 0)


class SnapshotRequest(RequestView):
    """A request view over a snapshot, for code that runs without a request."""

    __slots__ = ("_snapshot",)

    def __init__(self, snapshot: Snapshot) -> None:
        address = urlsplit(snapshot.url)
        super().__init__({}, Proxies("0"), path=unquote(address.path), query=address.query)
        self._snapshot = snapshot

    @property
    def method(self) -> str:
        return "GET"

    @property
    def peer(self) -> str:
        return self._snapshot.ip

    @property
    def url(self) -> str:
        return self._snapshot.url

    @property
    def client(self) -> str:
        return self._snapshot.ip

    def header(self, name: str) -> str:
        return self._snapshot.user_agent if name == "user-agent" else ""

    def _own_scheme(self) -> str:
        return urlsplit(self.url).scheme or "https"

    def _own_host(self) -> str:
        return urlsplit(self.url).netloc


def check_max_chars(value: object) -> int | None:
    """Return the value if it is a positive whole number of characters, or None for no limit.

    Raises:
        EventError: any other value.
    """
    if value is None or (isinstance(value, int) and not isinstance(value, bool) and value > 0):
        return value
    found = f"{value}" if type(value) is int else f"of type {type(value).__name__}"
    raise EventError("max_chars", found, "a whole number of characters above 0, such as 500")


def write_snapshot(
    snapshot: Snapshot, signer: Signer, max_chars: int | None = None, *, needs_origin: bool = False
) -> str:
    """Return the token. It consists of letters, digits, ``-``, ``_`` and ``.``.

    If all data exceeds ``max_chars``, add the parts in order of their value for TikTok's matching, each if it fits:
    ``ttclid``, e-mail, ``_ttp``, phone, the page's origin, IP address, external id, user agent, the page's path and
    query, further values of a list, name and address.

    Args:
        snapshot: the visitor's data.
        signer: signs the token.
        max_chars: maximum length; None for no limit.
        needs_origin: whether the page's origin is kept in any case, because it decides about the pixels.

    Raises:
        EventError: ``max_chars`` is too small even for the visitor's choice.
    """
    whole = _packed(snapshot)
    token = signer.dump(whole, purpose=_PURPOSE)
    if max_chars is None or len(token) <= max_chars:
        return token
    kept = {key: whole[key] for key in _ALWAYS if key in whole}
    if needs_origin and "u" in whole:
        kept["u"] = _origin(whole["u"])
    token = signer.dump(kept, purpose=_PURPOSE)
    if len(token) > max_chars:
        raise EventError("max_chars", f"{max_chars}", f"at least {len(token)}")
    for more in _parts(whole):
        longer = signer.dump({**kept, **more}, purpose=_PURPOSE)
        if len(longer) <= max_chars:
            kept, token = {**kept, **more}, longer
    return token


def read_snapshot(token: object, signer: Signer) -> Snapshot:
    """Return the snapshot in a token.

    Args:
        token: a result of :func:`write_snapshot`.
        signer: holds the key that signed the token.

    Raises:
        TokenError: the token is forged, older than 400 days, or not a snapshot.
    """
    if not isinstance(token, str) or len(token) > _MAX_TOKEN_CHARS or not token.isascii():
        raise TokenError("malformed")
    packed = signer.load(token, purpose=_PURPOSE, max_age_s=SNAPSHOT_MAX_AGE_S)
    try:
        return _unpacked(packed)
    except (TypeError, ValueError, KeyError, LookupError):
        raise TokenError("malformed") from None


# -- Encoding with short keys, and hashes as base64, because payment metadata is often limited to 500 characters.

_STATES = {"g": State.GRANTED, "d": State.DENIED, "u": State.UNKNOWN}
_LETTERS = {state: letter for letter, state in _STATES.items()}
_ALWAYS = ("c", "l", "r")
_HASHES = {"e": "email", "h": "phone", "x": "external_id"}
_NAMES = {"f": "first_name", "n": "last_name", "z": "zip_code"}
_PLACES = {"y": "city", "s": "state", "o": "country"}
_REASON = re.compile(r"[a-z_]{1,40}")


def _packed(snapshot: Snapshot) -> dict[str, Any]:
    consent = snapshot.consent
    packed: dict[str, Any] = {"c": _LETTERS[consent.state]}
    if consent.limited_data_use:
        packed["l"] = 1
    if not consent.is_granted:
        return {**packed, "r": consent.reason}
    identity = snapshot.identity
    values: dict[str, Any] = {
        "t": snapshot.ttclid,
        "p": snapshot.ttp,
        "i": snapshot.ip,
        "u": snapshot.url[:_MAX_URL_CHARS],
        "a": scrubbed(snapshot.user_agent[:_MAX_USER_AGENT_CHARS]),
        **{key: [_short(value) for value in getattr(identity, name)] for key, name in _HASHES.items()},
        **{key: _short(getattr(identity, name)) for key, name in _NAMES.items()},
        **{key: getattr(identity, name) for key, name in _PLACES.items()},
    }
    return {**packed, **{key: value for key, value in values.items() if value}}


def _parts(whole: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """Yield the optional parts, most valuable first. A later part with the same key replaces the earlier one."""
    page = urlsplit(whole.get("u", ""))
    origin = _origin(whole.get("u", ""))
    first: dict[str, Any] = {key: whole[key][:1] for key in _HASHES if key in whole}
    first |= {"u": origin} if page.netloc else {}
    for key in ("t", "e", "p", "h", "u", "i", "x", "a"):
        if key in first or key in whole:
            yield {key: first.get(key, whole.get(key))}
    if page.netloc and page.path not in {"", "/"}:
        yield {"u": origin[:-1] + page.path}
    if page.query:
        yield {"u": whole["u"]}
    for key in ("e", "h", "x"):
        if len(whole.get(key, ())) > 1:
            yield {key: whole[key]}
    for key in ("f", "n", "z", "o", "s", "y"):
        if key in whole:
            yield {key: whole[key]}


def _origin(url: str) -> str:
    page = urlsplit(url)
    return f"{page.scheme}://{page.netloc}/"


def _unpacked(packed: Any) -> Snapshot:
    state = _STATES[packed["c"]]
    limited = bool(packed.get("l"))
    if state is not State.GRANTED:
        return Snapshot(Consent(state, limited, _text(packed, "r", _REASON.fullmatch)))
    many = {name: tuple(map(_long, _list(packed, key))) for key, name in _HASHES.items()}
    one = {name: _long(packed[key]) for key, name in _NAMES.items() if key in packed}
    places = {name: _text(packed, key, lambda text: len(text) <= _MAX_PLACE_CHARS) for key, name in _PLACES.items()}
    return Snapshot(
        Consent(state, limited),
        ttclid=_text(packed, "t", is_ttclid),
        ttp=_text(packed, "p", is_ttp),
        ip=_text(packed, "i", ipaddress.ip_address),
        user_agent=_text(packed, "a", lambda text: len(text) <= _MAX_USER_AGENT_CHARS),
        url=_text(packed, "u", _is_address),
        identity=msgspec.convert({**many, **one, **places}, Identity),
    )


def _text(packed: Mapping[str, Any], key: str, is_right: Any) -> str:
    """Return the text under a key, or empty if it is missing. Raise ValueError if it is invalid."""
    text = packed.get(key, "")
    if not isinstance(text, str) or (text and not is_right(text)):
        raise ValueError(key)
    return text


def _list(packed: Mapping[str, Any], key: str) -> list[Any]:
    values = packed.get(key, [])
    if not isinstance(values, list) or len(values) > _MAX_VALUES:
        raise ValueError(key)
    return values


def _is_address(text: str) -> bool:
    return len(text) <= _MAX_URL_CHARS and urlsplit(text).scheme in {"http", "https"}


def _short(hexadecimal: str) -> str:
    """Return a SHA-256 as 43 characters of base64url instead of 64 hexadecimal digits."""
    return urlsafe_b64encode(bytes.fromhex(hexadecimal)).decode("ascii").rstrip("=")


def _long(text: str) -> str:
    data = urlsafe_b64decode(text + "=")
    if len(data) != 32:
        raise ValueError("no SHA-256")
    return data.hex()
