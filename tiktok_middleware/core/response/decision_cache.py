"""Decision cache: replay recorded decisions of an Exchange, for responses without visitor state.

A few values decide most responses, and most visitors have no state of their own. Both adapters take these steps:

1. The adapter calls :func:`look_up` when the response head comes. It returns ``PASS`` for a response that stays
   unchanged. For the others it makes a key of raw values: status, method, mount point, the app's ``shared()``, the
   consent, and the request and response headers that the decision reads (``decision_cache_key``).
2. If the cache does not have the key, an Exchange decides. Its request and configuration log each value that it reads.
   :func:`record` keeps the decision's effects only if every logged value is in the key or excluded by a guard
   (``decision_cache_guards``).
3. If the cache has the key, the adapter holds the head. :func:`replay` takes the first piece of the body, finds the
   head end, and returns the new head and the new piece. If it cannot, an Exchange continues with the recorded plan.

Invariants:

- Only an Exchange decides. A missing key leads to an Exchange, and a guard only rejects.
- A recorded decision holds no byte of a visitor, no time and no nonce. The read log checks that each value which a
  decision reads is in the key or guarded. If a decision begins to read another value, it is no longer recorded: that
  costs time, but never gives a wrong page.
- The app has set nothing on the tracker when the head comes and when the first piece comes.
- Repeated request headers are joined before they are read: a refusal may be in an earlier ``Cookie`` header.
- A policy in the markup changes the script. The script for the tags of a head is a decision of its
  own: its key is the key of the page and the tags. Such a head is remembered only as a whole.
- Referrer and click id are in no key. The cookies of the visitor's ids are made for each request (``due_cookies``),
  with the scheme and host that trusted proxies name. A shared page sets none.
- On a failure or cancellation the app's bytes leave unchanged.
"""

from __future__ import annotations

from typing import Any, NamedTuple, Union

from tiktok_middleware.core.consent.precedence import SAID_COOKIE
from tiktok_middleware.core.http.response_head import CONTENT_TYPE, CONTENT_TYPE_CHARS, is_html
from tiktok_middleware.core.http.response_headers import Headers, with_changes
from tiktok_middleware.core.page.body import PlainBody
from tiktok_middleware.core.page.head_end import Search
from tiktok_middleware.core.page.known_heads import Tags
from tiktok_middleware.core.pixel.redirect_cookie import CARRY
from tiktok_middleware.core.response.actions import PASS, Forward, Pass
from tiktok_middleware.core.response.browser_output import BrowserOutput, visitor_headers
from tiktok_middleware.core.response.decision_cache_cookies import Due, due_cookies, is_due
from tiktok_middleware.core.response.decision_cache_guards import (
    MAX_COOKIE_CHARS,
    READS_BEHIND_GUARDS,
    is_usual_target,
    speaks,
    without_click,
)
from tiktok_middleware.core.response.decision_cache_key import (
    CHANGES_WITH_BODY,
    READS_IN_KEY,
    Edits,
    ProtocolNames,
    read_head,
)
from tiktok_middleware.core.response.header_room import is_roomy
from tiktok_middleware.core.response.policy import Plan
from tiktok_middleware.core.response.read_log import ReadLog
from tiktok_middleware.core.runtime import Runtime
from tiktok_middleware.core.tracking.request_tracker import RequestTracker

__all__ = ["Effects", "HeldPage", "Key", "look_up", "page_key", "record", "replay"]


class Effects(NamedTuple):
    """Effects of a decision on each response with its key.

    Attributes:
        plan: plan for the response.
        script: the script elements of a page; None when the body gets none.
        is_personal: whether shared caches must not keep the response.
        mark: identifies the script in entity tags; empty when the script differs between visitors.
        sets_cookies: whether the response sets the cookies of the visitor's ids when they are due.
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
        """Return the effects of a decision.

        Args:
            output: browser output of the decided response.
            script: see the attribute.
            is_personal: see the attribute.
            mark: see the attribute.
        """
        return cls(output.plan, script, is_personal, mark, output.sets_visitor_cookies)


class Key:
    """Key of a response without a recorded decision.

    Args:
        values: all values that decide the response.
    """

    __slots__ = ("values",)

    def __init__(self, values: tuple[object, ...]) -> None:
        self.values: tuple[object, ...] = values


#: A page whose head is held: effects, the app's headers, what :func:`read_head` returned, due cookies, and the key.
HeldPage = tuple[Effects, Headers, Edits, Due, tuple[object, ...]]

_Found = Union[Pass, Forward, HeldPage, Key, None]  # noqa: UP007  # a run-time alias on Python 3.10
_MISSING: Any = object()


def look_up(tracker: RequestTracker, status: int | str, headers: Headers, protocol: ProtocolNames) -> _Found:  # noqa: C901, PLR0912  # guards in a row
    """Look up a response: return ``PASS``, a new head to send, a page to hold, or the key for an Exchange.

    Args:
        tracker: tracker of the request.
        status: the HTTP status, as the protocol passes it.
        headers: headers of the app; not changed.
        protocol: protocol of the adapter.

    Return None when an Exchange has to decide without recording.
    """
    said = tracker.said
    if said is not None and (said.asked_for_marked or not said.is_untouched):
        return None
    query: Any = tracker.raw.get(protocol.query)
    cookies: Any = tracker.headers.get(protocol.cookie)
    if cookies and type(cookies) is not str:
        cookies = cookies.decode("latin-1")  # a search in text takes a third of the time
    has_click = query and protocol.ttclid in query
    may_carry = cookies and CARRY in cookies
    if not (has_click or may_carry):
        for name, value in headers:  # says_html(), without the cost of a call: most responses end here
            if name in CONTENT_TYPE or (len(name) == CONTENT_TYPE_CHARS and name.lower() in CONTENT_TYPE):
                if is_html(value):
                    break
                return PASS
        else:
            return PASS
    runtime = tracker.runtime
    if not runtime.is_on:
        return PASS
    if may_carry or runtime.writes_ids or runtime.is_bridged:
        return None
    if cookies and (len(cookies) > MAX_COOKIE_CHARS or SAID_COOKIE in cookies):
        return None
    query, click = without_click(query, protocol) if has_click else (query, None)
    if not is_usual_target(tracker, query, protocol):
        return None
    values = [status, tracker.raw.get(protocol.method), said and said.shared_word]
    edits = _add_key(values, tracker, headers, cookies, protocol)
    if edits is None:
        return None
    key = tuple(values)
    effects: Effects | None = runtime.decisions.get(key, _MISSING)
    if effects is _MISSING:
        return Key(key)
    if effects is None:
        return None
    due = is_due(tracker, click, cookies, protocol) if effects.sets_cookies else False
    if due is not False and not is_roomy(headers, cookies):
        return None
    if effects.script is not None:
        return effects, headers.copy(), edits, due, key
    return PASS if due is False else _with_cookies(tracker, headers, edits, due, protocol)


def _add_key(
    values: list[Any], tracker: RequestTracker, headers: Headers, cookies: Any, protocol: ProtocolNames
) -> Edits | None:
    """Add the values of request and response head to a key; return the result of :func:`read_head`.

    Return None too if the policy of the response has to be extended.
    """
    speaks_of_consent = not tracker.runtime.is_implied or (cookies and speaks(cookies))
    values.append(tracker.state.consent if speaks_of_consent else None)
    edits = read_head(headers, values)
    values += map(tracker.headers.get, protocol.names)
    values.append(tracker.raw.get(protocol.mount))
    if edits is not None and edits[2]:
        if tracker.runtime.extend_policy is not None:
            return None
        values.append(tracker.headers.get(protocol.host))  # a policy may allow our requests on one host only
    return edits


def _with_cookies(
    tracker: RequestTracker, headers: Headers, edits: Edits, due: Due, protocol: ProtocolNames
) -> Forward | Pass:
    """Return the head of a response without a script, with the visitor's cookies."""
    if edits[1]:
        texts = visitor_headers(tracker.state)
        return Forward(with_changes(headers, added=texts, is_private=True)) if texts else PASS
    added = due_cookies(tracker, due, protocol)
    return Forward([*headers, *added, protocol.private]) if added else PASS  # pyright: ignore[reportArgumentType]


def replay(
    held: HeldPage, tracker: RequestTracker, piece: bytes, protocol: ProtocolNames, *, last: bool
) -> tuple[Any, bytes] | Key | None:
    """Return the head and the first piece of a held page, with the script inserted.

    Args:
        held: the page.
        tracker: tracker of the request.
        piece: the first bytes of the body.
        protocol: protocol of the adapter.
        last: whether no more bytes follow.

    Return None when an Exchange has to continue, and the key if it shall record the script for the tags of this head.
    """
    said = tracker.said
    if said is not None and not said.is_untouched:
        return None
    effects, headers, (length_at, edits, _), due, key = held
    place, tags = _place(tracker, piece, effects.plan, protocol, last=last)
    if place < 0:
        return None
    if tags is not None:  # a policy in the markup changes the script
        key = (*key, tags, tracker.headers.get(protocol.host))
        found: Effects | None = tracker.runtime.decisions.get(key, _MISSING)
        if found is _MISSING:
            return Key(key)
        if found is None:
            return None
        effects = found
    script = effects.script or b""
    watch = tracker.runtime.page_watch
    if watch is not None:
        watch(lambda: tracker.state.request)
    rest = memoryview(piece)  # so that a page of 200 KB is copied only once
    data = b"".join((rest[:place], script, rest[place:]))
    if edits and (due is not False or effects.is_personal or edits == CHANGES_WITH_BODY):
        texts = [] if due is False else visitor_headers(tracker.state)
        is_private = bool(texts) or effects.is_personal
        edited = with_changes(
            headers, added=texts, body_growth_bytes=len(script), is_private=is_private, mark=effects.mark
        )
        return edited, data
    added = [] if due is False else due_cookies(tracker, due, protocol)
    changed: list[Any] = headers  # already a copy of the app's list
    if length_at >= 0:
        name, value = changed[length_at]
        changed[length_at] = (name, protocol.number % (int(value) + len(script)))
    if added or effects.is_personal:
        changed += (*added, protocol.private)
    return changed, data


def _place(
    tracker: RequestTracker, piece: bytes, plan: Plan, protocol: ProtocolNames, *, last: bool
) -> tuple[int, Tags | None]:
    """Return the place of the script in the first piece of a page, and the tags in the head that affect the script.

    The place is -1 if the search of this piece does not find it. The tags are None if the head has no such tag.
    """
    heads, path = tracker.runtime.heads, tracker.raw.get(protocol.path)
    page = (path, "page") if plan.takes_fragments else path  # page_key(), without the cost of a call
    place = heads.place(page, piece) if plan.is_charset_named else -1
    if place >= 0:
        return place, heads.tags(page)
    body = PlainBody(is_charset_named=plan.is_charset_named, is_page=plan.takes_fragments)
    if body.feed(piece, last=last) is not Search.FOUND:
        return -1, None
    place, tags = body.place, body.tags.key
    if plan.is_charset_named:
        heads.learn(page, piece, place, tags)
    return place, tags


def page_key(path: object, plan: Plan) -> object:
    """Return the key of a page among the remembered heads."""
    return (path, "page") if plan.takes_fragments else path  # other rules find the head end of such a body


def record(runtime: Runtime, key: Key, log: ReadLog, effects: Effects | None) -> None:
    """Keep the decision of an Exchange for a key.

    Args:
        runtime: the configuration.
        key: the key that :func:`look_up` returned.
        log: the values that the decision has read.
        effects: effects of the decision; None when they depend on the visitor.
    """
    is_covered = log <= READS_IN_KEY | READS_BEHIND_GUARDS
    runtime.decisions.keep(key.values, effects if is_covered else None)
