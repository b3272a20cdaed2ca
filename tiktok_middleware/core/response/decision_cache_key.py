"""Key of a recorded decision: raw values of the request and of the response head.

The header names come from the tables that the decision and the header changes use. A header that is added there is
therefore part of the key.
"""

from __future__ import annotations

import re
from typing import Any

from tiktok_middleware.core.http.header_names import ByHeaderName
from tiktok_middleware.core.http.request import Names
from tiktok_middleware.core.http.response_head import PLANNED, place_of
from tiktok_middleware.core.http.response_headers import CACHING, OF_THE_BYTES, Headers, change_of, encoded
from tiktok_middleware.core.response.first_party_cookies import Header
from tiktok_middleware.core.response.policy import ASKED
from tiktok_middleware.core.visitor.click_ids import TTCLID

__all__ = ["ASGI", "CHANGES_WITH_BODY", "READS_IN_KEY", "WSGI", "Edits", "ProtocolNames", "read_head"]

#: Request headers in the key: those that ``policy.plan`` reads, and Global Privacy Control.
_KEYED = Names(*ASKED.texts, "sec-gpc")

#: Values, as :class:`~.read_log.ReadLog` names them, that a decision may read because they are in the key.
READS_IN_KEY = frozenset({"method", "mount", *(f"header {name}" for name in _KEYED.texts)})

_PRIVATE: Header = ("Cache-Control", "private")


class ProtocolNames:
    """Names under which one protocol holds the values that the key and the guards read.

    Args:
        is_bytes: whether its headers are bytes.
        method, mount, path, query, cookie, referrer, host, scheme: keys of the raw request and of its headers.
        names: names of the keyed headers.
    """

    __slots__ = (
        *("click", "cookie", "dot", "encode", "method", "mount", "names", "number", "pairs", "path", "query"),
        *("host", "private", "referrer", "scheme", "ttclid"),
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
        host: Any,
        scheme: str,
        names: tuple[Any, ...],
    ) -> None:
        self.encode: Any = (lambda text: text.encode("ascii")) if is_bytes else (lambda text: text)
        self.method = method
        self.mount = mount
        self.path = path
        self.query = query
        self.cookie = cookie
        self.referrer = referrer
        self.host = host
        self.scheme = scheme
        self.names = names
        self.dot: Any = self.encode(".")
        self.number: Any = self.encode("%d")
        self.pairs: Any = encoded if is_bytes else list
        self.ttclid: Any = self.encode(TTCLID)
        self.click: Any = re.compile(self.encode(rf"(?:^|(?<=&)){TTCLID}=([A-Za-z0-9._~-]{{1,1000}})(?:&|$)"))
        self.private: Any = self.pairs([_PRIVATE])[0]


ASGI = ProtocolNames(
    is_bytes=True,
    method="method",
    mount="root_path",
    path="path",
    query="query_string",
    cookie=b"cookie",
    referrer=b"referer",
    host=b"host",
    scheme="scheme",
    names=_KEYED.in_scope,
)
WSGI = ProtocolNames(
    is_bytes=False,
    method="REQUEST_METHOD",
    mount="SCRIPT_NAME",
    path="PATH_INFO",
    query="QUERY_STRING",
    cookie="HTTP_COOKIE",
    referrer="HTTP_REFERER",
    host="HTTP_HOST",
    scheme="wsgi.url_scheme",
    names=_KEYED.in_environ,
)


#: What :func:`read_head` returns.
Edits = tuple[int, int, bool]

# Meaning of a response header for the key: None, or one of these.
_LENGTH, CHANGES_WITH_BODY, _KEYED_VALUE, _CACHING, _UNKNOWN, _POLICY = range(1, 7)
_POLICIES = {"content-security-policy", "content-security-policy-report-only"}
_MAX_POLICY_CHARS = 4_096
# A policy with a nonce differs in each response. The keyword may be written in any letter case.
_NONCE = re.compile(r"'nonce-", re.IGNORECASE)


def _meaning(name: str) -> int | None:
    """Return the meaning of a response header, from the tables that the decision and the edits use."""
    place, change = place_of(name), change_of(name)
    if name == "content-length":
        return _LENGTH
    if name in _POLICIES:
        return _POLICY
    if name == "expires" or (place is not None and (place >= PLANNED or change == OF_THE_BYTES)):
        return _UNKNOWN  # depends on the time, or is read outside ``policy.plan``
    if change:
        return _CACHING if change == CACHING else CHANGES_WITH_BODY
    return None if place is None else _KEYED_VALUE


_MEANINGS: ByHeaderName[int] = ByHeaderName({}, _meaning)


def read_head(headers: Headers, values: list[Any]) -> Edits | None:
    """Add the keyed response headers to ``values``; return None if the decision depends on a header beyond the key.

    Return the index of ``Content-Length`` (-1: absent), and which other headers have to change: none (0),
    :data:`_CACHING` if the response is for one visitor, :data:`CHANGES_WITH_BODY` if the body changes; and whether
    there is a Content Security Policy.
    """
    length_at, edits, index, has_policy = -1, 0, 0, False
    for name, value in headers:
        meaning = _MEANINGS[name]
        if meaning is not None:
            if meaning == _LENGTH:
                if length_at >= 0 or not (value.isdigit() and value.isascii()):
                    edits = CHANGES_WITH_BODY
                length_at = index
            elif meaning == CHANGES_WITH_BODY:
                edits = CHANGES_WITH_BODY
            elif meaning == _UNKNOWN or (meaning == _POLICY and not _is_constant(value)):
                return None
            else:
                values += name, value
                if meaning == _POLICY:
                    has_policy = True
                elif meaning == _CACHING and not edits:
                    edits = _CACHING
        index += 1  # noqa: SIM113  # enumerate() is slower
    return length_at, edits, has_policy


def _is_constant(policy: bytes | str) -> bool:
    """Return whether a policy is likely to be the same for each response."""
    text = policy if isinstance(policy, str) else policy.decode("latin-1")
    return len(text) <= _MAX_POLICY_CHARS and _NONCE.search(text) is None
