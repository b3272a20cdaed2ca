"""The usual path: replay decisions that an Exchange has recorded, for responses without visitor state.

Most responses are decided by few values, and most visitors bring none of their own. Both adapters go these steps:

1. :func:`look_up` is asked when the response head comes. A response that nothing is done to passes at once. For the
   others it makes a key of raw values: status, method, mount point, the app's ``shared()``, the consent, the request
   headers in :data:`_KEYED`, and the response headers that the decision reads.
2. If the key is not known, an Exchange decides. It works on a request and a configuration that log what is read of
   them; :func:`record` keeps the decision's effects only if every logged value is in the key or behind a guard.
3. If the key is known, the head is held. :func:`replay` gets the first piece of the body, finds the place of the
   script, and returns the new head and the new piece. Where it cannot, an Exchange goes on with the recorded plan.

What holds, whoever changes this module:

- An Exchange decides. Unknown means Exchange, and a guard only rejects.
- A recipe holds no byte of a visitor, no time and no nonce. What a decision reads is in the key or guarded, and the log
  proves it: a decision that begins to read another value costs time, and never gives a wrong page.
- The tracker is untouched when the head comes and when the first piece comes.
- Repeated request headers are joined before they are read: a refusal may stand in an earlier ``Cookie`` header.
- Referrer and click id are in no key. The cookies of the visitor's ids are made for each request, and none is set on a
  shared page.
- On a failure or cancellation the app's bytes leave as they came.
"""

from __future__ import annotations

import re
from typing import Any, NamedTuple, Union

from tiktok_middleware.core.consent.consent import SPOKEN_BY
from tiktok_middleware.core.consent.precedence import SAID_COOKIE
from tiktok_middleware.core.http.header_names import ByHeaderName
from tiktok_middleware.core.http.request import Names
from tiktok_middleware.core.http.response_head import PLANNED, Head, place_of, says_html
from tiktok_middleware.core.http.response_headers import (
    CACHING,
    OF_THE_BYTES,
    Headers,
    change_of,
    encoded,
    with_changes,
)
from tiktok_middleware.core.page.body import PlainBody
from tiktok_middleware.core.page.head_end import Search
from tiktok_middleware.core.pixel.redirect_cookie import CARRY
from tiktok_middleware.core.response.actions import PASS, Forward, Pass
from tiktok_middleware.core.response.browser_output import BrowserOutput
from tiktok_middleware.core.response.first_party_cookies import Header
from tiktok_middleware.core.response.policy import ASKED, Plan
from tiktok_middleware.core.response.read_log import ReadLog
from tiktok_middleware.core.runtime import Runtime
from tiktok_middleware.core.tracking.request_tracker import RequestTracker
from tiktok_middleware.core.visitor.click_ids import TTCLID, cookies_may_be_due
from tiktok_middleware.core.visitor.url_redaction import holds_identity

__all__ = ["ASGI", "WSGI", "Effects", "HeldPage", "Key", "Protocol", "look_up", "record", "replay"]

#: Request headers in the key: those that ``policy.plan`` reads, and Global Privacy Control.
_KEYED = Names(*ASKED.texts, "sec-gpc")
_READS_IN_KEY = frozenset({"method", "mount", *(f"header {name}" for name in _KEYED.texts)})
_READS_BEHIND_GUARDS = frozenset({"path", "query", f"cookie text {CARRY}"})

# A longer Cookie header may be cut, or hold several copies of one cookie: an Exchange reads it.
_MAX_COOKIE_CHARS = 4_096


class Protocol:
    """Where one protocol holds what the key and the guards read.

    Args:
        is_bytes: whether its headers are bytes.
        method, mount, path, query, cookie, referrer: keys of the raw request and of its headers.
        names: of the keyed headers.
    """

    __slots__ = (
        *("carry", "click", "cookie", "encode", "method", "mount", "names", "nothing", "pairs", "path", "query"),
        *("referrer", "said", "spoken_by", "ttclid"),
    )

    def __init__(
        self,
        *,
        is_bytes: bool,
        method: str,
        mount: str,
        path: str,
        query: str,
        cookie: Any,
        referrer: Any,
        names: tuple[Any, ...],
    ) -> None:
        self.encode: Any = (lambda text: text.encode("ascii")) if is_bytes else (lambda text: text)
        self.method = method
        self.mount = mount
        self.path = path
        self.query = query
        self.cookie = cookie
        self.referrer = referrer
        self.names = names
        self.nothing = self.encode("")
        self.pairs: Any = encoded if is_bytes else list
        self.carry = self.encode(CARRY)
        self.ttclid = self.encode(TTCLID)
        self.said = self.encode(SAID_COOKIE)
        self.spoken_by = tuple(map(self.encode, SPOKEN_BY))
        self.click = re.compile(self.encode(rf"(?:^|(?<=&)){TTCLID}=[A-Za-z0-9._~-]{{1,1000}}(?:&|$)"))


ASGI = Protocol(
    is_bytes=True,
    method="method",
    mount="root_path",
    path="path",
    query="query_string",
    cookie=b"cookie",
    referrer=b"referer",
    names=_KEYED.in_scope,
)
WSGI = Protocol(
    is_bytes=False,
    method="REQUEST_METHOD",
    mount="SCRIPT_NAME",
    path="PATH_INFO",
    query="QUERY_STRING",
    cookie="HTTP_COOKIE",
    referrer="HTTP_REFERER",
    names=_KEYED.in_environ,
)


class Effects(NamedTuple):
    """What a decision does to each response with its key.

    Attributes:
        plan: for the response.
        script: the script elements of a page; None where none goes into the body.
        is_personal: whether no shared cache may keep the response.
        mark: names the script in entity tags; empty where the script is not the same for everybody.
        sets_cookies: whether the visitor's ids are set where they are due.
    """

    plan: Plan
    script: bytes | None
    is_personal: bool
    mark: str
    sets_cookies: bool

    @classmethod
    def of(
        cls, output: BrowserOutput, script: bytes | None = None, *, is_personal: bool = False, mark: str = ""
    ) -> Effects:
        """The effects of a decision.

        Args:
            output: of the response that was decided.
            script: as above, like what follows.
            is_personal: as above.
            mark: as above.
        """
        return cls(output.plan, script, is_personal, mark, output.sets_visitor_cookies)


class Key:
    """The key of a response that no recipe is known for.

    Args:
        values: all that decides over the response.
    """

    __slots__ = ("values",)

    def __init__(self, values: tuple[object, ...]) -> None:
        self.values = values


#: A page whose head is held: effects, the app's headers, what :func:`_read_head` returned, and whether the visitor's
#: cookies may be due.
HeldPage = tuple[Effects, Headers, tuple[int, int], bool]

_Found = Union[Pass, Forward, HeldPage, Key, None]  # noqa: UP007  # a run-time alias on Python 3.10

# What a response header means here: nothing, or one of these.
_LENGTH, _OF_THE_BYTES, _KEYED_VALUE, _CACHING, _UNKNOWN = range(1, 6)


def _meaning(name: str) -> int | None:
    """The meaning of a response header, from the tables that the decision and the edits use."""
    place, change = place_of(name), change_of(name)
    if name == "content-length":
        return _LENGTH
    if name == "expires" or (place is not None and (place >= PLANNED or change == OF_THE_BYTES)):
        return _UNKNOWN  # compared with the time, or read by more than ``policy.plan``
    if change:
        return _CACHING if change == CACHING else _OF_THE_BYTES
    return None if place is None else _KEYED_VALUE


_MEANINGS: ByHeaderName[int] = ByHeaderName({}, _meaning)


def look_up(tracker: RequestTracker, status: int, headers: Headers, protocol: Protocol) -> _Found:
    """What is known of a response: ``PASS``, a new head to send, a page to hold, or the key for an Exchange.

    Args:
        tracker: of the request.
        status: the HTTP status.
        headers: the app's; not changed.
        protocol: of the adapter.

    Returns None where an Exchange decides and nothing is recorded.
    """
    said = tracker.said
    if said is not None and (said.asked_for_marked or not said.is_untouched):
        return None
    runtime = tracker.runtime
    query: Any = tracker.raw.get(protocol.query)
    cookies: Any = tracker.headers.get(protocol.cookie)
    has_click = bool(query) and protocol.ttclid in query
    may_carry = bool(cookies) and protocol.carry in cookies
    if not ((has_click or may_carry or says_html(headers)) and runtime.is_on):
        return PASS
    if (
        may_carry
        or runtime.writes_ids
        or runtime.is_bridged
        or not _is_usual_target(tracker, query, has_click=has_click, protocol=protocol)
    ):
        return None
    referrer: Any = tracker.headers.get(protocol.referrer)
    is_due, consent = has_click or (bool(referrer) and protocol.ttclid in referrer), None
    if cookies:
        if len(cookies) > _MAX_COOKIE_CHARS or protocol.said in cookies:
            return None
        is_due = is_due or _may_be_due(cookies)
    if not runtime.is_implied or (cookies and _speaks(cookies, protocol)):
        consent = tracker.state.consent
    values = [status, tracker.raw.get(protocol.method), said and said.shared_word, consent]
    edits = _read_head(headers, values)
    if edits is None:
        return None
    values += map(tracker.headers.get, protocol.names)
    values.append(tracker.raw.get(protocol.mount))
    return _found(tracker, tuple(values), headers, edits, is_due=is_due)


def _read_head(headers: Headers, values: list[Any]) -> tuple[int, int] | None:
    """Add what the key holds of the response headers; None where more decides than a key can hold.

    Returns where the ``Content-Length`` stands (-1: nowhere), and which of the other headers change: none,
    :data:`_CACHING` for a response of one visitor, :data:`_OF_THE_BYTES` with the body.
    """
    length_at, edits, index = -1, 0, 0
    for name, value in headers:
        meaning = _MEANINGS[name]
        if meaning is not None:
            if meaning == _LENGTH:
                if length_at >= 0 or not (value.isdigit() and value.isascii()):
                    edits = _OF_THE_BYTES
                length_at = index
            elif meaning == _OF_THE_BYTES:
                edits = _OF_THE_BYTES
            elif meaning == _UNKNOWN:
                return None
            else:
                values += name, value
                if meaning == _CACHING and not edits:
                    edits = _CACHING
        index += 1  # noqa: SIM113  # enumerate() costs more
    return length_at, edits


def _found(
    tracker: RequestTracker, key: tuple[Any, ...], headers: Headers, edits: tuple[int, int], *, is_due: bool
) -> _Found:
    effects = tracker.runtime.decisions.get(key, _MISSING)
    if effects is _MISSING:
        return Key(key)
    if effects is None:
        return None
    is_due = is_due and effects.sets_cookies
    if effects.script is None:
        return _with_cookies(tracker, effects, headers) if is_due else PASS
    return effects, headers.copy(), edits, is_due


_MISSING: Any = object()


def replay(
    held: HeldPage, tracker: RequestTracker, piece: bytes, protocol: Protocol, *, last: bool
) -> tuple[Any, bytes] | None:
    """The head and the first piece of a held page, with the script in its place.

    Args:
        held: the page.
        tracker: of the request.
        piece: the first bytes of the body.
        protocol: of the adapter.
        last: whether no more bytes follow.

    Returns headers and bytes, or None where an Exchange has to go on.
    """
    said = tracker.said
    if said is not None and not said.is_untouched:
        return None
    effects, headers, (length_at, edits), is_due = held
    script = effects.script or b""
    place = _place(tracker, piece, effects, protocol, last=last)
    if place < 0:
        return None
    rest = memoryview(piece)  # a page of 200 KB is copied once
    data = b"".join((rest[:place], script, rest[place:]))
    added = _due_cookies(tracker, effects, headers) if is_due else []
    is_private = bool(added) or effects.is_personal
    if edits and (is_private or edits == _OF_THE_BYTES):
        changed = with_changes(
            headers, added=added, body_growth_bytes=len(script), is_private=is_private, mark=effects.mark
        )
        return changed, data
    changed = headers + protocol.pairs([*added, _PRIVATE]) if is_private else headers.copy()
    if length_at >= 0:
        name, value = headers[length_at]
        length = protocol.encode(str(int(value) + len(script)))
        changed[length_at] = (name, length)  # type: ignore[assignment]  # of the adapter's type
    return changed, data


def _place(tracker: RequestTracker, piece: bytes, effects: Effects, protocol: Protocol, *, last: bool) -> int:
    """Where the script goes in the first piece of a page; -1 where that is not sure."""
    heads, path = tracker.runtime.heads, tracker.raw.get(protocol.path)
    plan = effects.plan
    place = heads.place(path, piece) if plan.is_charset_named else -1
    if place < 0:
        body = PlainBody(is_charset_named=plan.is_charset_named, is_page=plan.takes_fragments)
        if body.feed(piece, last=last) is not Search.FOUND or body.tags.are_any:
            return -1
        place = body.place
        if plan.is_charset_named:
            heads.learn(path, piece, place)
    return place


def record(runtime: Runtime, key: Key, log: ReadLog, effects: Effects | None) -> None:
    """Keep what an Exchange has decided for a key.

    Args:
        runtime: the configuration.
        key: as :func:`look_up` gave it.
        log: what the decision has read.
        effects: of the decision; None where it depends on the visitor.
    """
    is_covered = log <= _READS_IN_KEY | _READS_BEHIND_GUARDS
    runtime.decisions.keep(key.values, effects if is_covered else None)


# -- guards


def _may_be_due(cookies: bytes | str) -> bool:
    text = cookies if isinstance(cookies, str) else cookies.decode("latin-1")
    return "tt" in text and cookies_may_be_due(text)


def _speaks(cookies: Any, protocol: Protocol) -> bool:
    """Whether the Cookie header may say something about consent, where no platform's cookie is read."""
    for text in protocol.spoken_by:  # noqa: SIM110  # a generator takes three times as long
        if text in cookies:
            return True
    return False


def _is_usual_target(tracker: RequestTracker, query: Any, *, has_click: bool, protocol: Protocol) -> bool:
    """Whether path and query hold no identity and are not excluded; a click id does not count."""
    rest = query
    if has_click:
        rest = protocol.click.sub(protocol.nothing, query)
        if protocol.ttclid in rest:
            return False
    runtime, raw = tracker.runtime, tracker.raw
    target = raw.get(protocol.mount), raw.get(protocol.path), rest
    is_usual = runtime.targets.get(target)
    if is_usual is None:
        request = tracker.state.request
        text = rest.decode("latin-1") if isinstance(rest, bytes) else rest
        is_usual = not (
            holds_identity(f"{request.path}?{text}" if text else request.path) or runtime.is_excluded(request.path)
        )
        runtime.targets.keep(target, is_usual)
    return is_usual


# -- what each visitor gets beside the effects


def _due_cookies(tracker: RequestTracker, effects: Effects, headers: Headers) -> list[Header]:
    state = tracker.state
    return BrowserOutput(state.request, state.runtime, state, effects.plan, Head.read(headers)).headers([])


def _with_cookies(tracker: RequestTracker, effects: Effects, headers: Headers) -> Forward | Pass:
    """The head of a response without a script, with the visitor's cookies."""
    added = _due_cookies(tracker, effects, headers)
    return Forward(with_changes(headers, added=added, is_private=True)) if added else PASS


_PRIVATE: Header = ("Cache-Control", "private")
