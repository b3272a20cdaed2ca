"""Redact the URL of a page for the server channel, and detect personal data in URLs.

Keep scheme, host, path, ``ttclid`` and ``utm_*``; TikTok reads the click id from the URL. Remove the rest of the query.
Replace personal data and secrets by ``redacted``, also in the path and in kept values.
"""

from __future__ import annotations

import re
from urllib.parse import quote, unquote

from tiktok_middleware.core.visitor.pii import (
    REDACTED,
    decoded,
    identifier_reveals,
    is_suspect,
    key_reveals,
    looks_opaque,
    may_hold_card,
    query_decoded,
    reveals,
)

__all__ = ["REDACTED", "holds_identity", "server_address"]

_NOTHING: frozenset[str] = frozenset()

# In practice servers and browsers pass on no longer URL. The rest is not examined, so it is not sent.
_MAX_CHARS = 8_192

# Host: any characters except delimiters and invalid ones, because hosts may be written in any script.
_ORIGIN = re.compile(
    r"([hH][tT][tT][pP][sS]?)://(?:[^/?#\\]*@)?"
    r"([^\x00-,/:-@\[-^`{-\xa0\ud800-\udfff]{1,253}|\[[0-9A-Fa-f:.]{2,45}\])(:[0-9]{1,5})?(?=[/?#]|$)"
)

# Fast path: nothing to redact if the first matches (no query, nothing encoded), and the second does not (no long number
# or run).
_PLAIN = re.compile(r"https?://[a-z0-9.-]+(?::[0-9]{1,5})?(?:/[A-Za-z0-9._~/-]*)?")
_LONG = re.compile(r"[0-9](?:[.-]?[0-9]){6}|[A-Za-z0-9]{20}|_(?:live|test)_|eyJ")
# Fast path for most URLs: lower-case words, few digits.
_LOWER = re.compile(r"[a-z0-9._~/:-]*")
_MANY_DIGITS = re.compile(r"[2-6](?:-?[0-9]){13}|_(?:live|test)_")

_SAFE_RAW = re.compile(r"[A-Za-z0-9._~!$&'()*+,=:@%-]*")
_SAFE_KEY = re.compile(r"[A-Za-z0-9_.\-]{1,64}")
_CLICK_ID = re.compile(r"[A-Za-z0-9._~-]{1,1000}")
_CLICK_ID_PAIR = re.compile(r"(?<=[?&])ttclid=[A-Za-z0-9._~-]{1,1000}(?=&|#|$)")


def server_address(url: str, allow: frozenset[str] = _NOTHING, deny: frozenset[str] = _NOTHING) -> str:
    """Return the URL without data that TikTok must not receive; empty if it is not an http URL. Never raises.

    Source: TikTok's Business Products (Data) Terms 2.8 and its page on prohibited data: TikTok scans URLs and UTM
    parameters. A click id is kept whole or removed.

    Args:
        url: the URL of the page or its referrer.
        allow: query keys that are kept besides ``ttclid`` and ``utm_*``; their values are redacted if necessary.
        deny: lower-case query keys that are always removed; in a path, the segment after such a key is redacted.
    """
    if not isinstance(url, str):
        return ""
    if not deny and len(url) <= _MAX_CHARS and _PLAIN.fullmatch(url) and not (_LONG.search(url) or is_suspect(url)):
        return url
    if len(url) > _MAX_CHARS:
        url = _shortened(url)
    origin = _ORIGIN.match(url)
    host = _host(origin[2]) if origin else ""
    if origin is None or not host:
        return ""
    path, _, query = url[origin.end() :].partition("#")[0].partition("?")
    kept = "&".join(filter(None, (_kept_pair(pair, allow, deny) for pair in query.split("&")))) if query else ""
    port = origin[3] or ""
    return f"{origin[1].lower()}://{host}{port}{_kept_path(path, deny)}{'?' if kept else ''}{kept}"


def holds_identity(url: str) -> bool:
    """Return True if a page at this URL must not load the pixel, because the pixel reports URLs unredacted.

    True for an e-mail address, an international phone number, a payment card, an unmistakable token, and for names,
    phone numbers, birth dates and passwords under keys that denote them; in path and query, percent-encoded or in
    base64. False for click ids, order numbers, product ids, dates, handles and slugs. False for other long tokens too:
    they are common on thank-you pages and in shop systems, and the server channel redacts them. A URL of more than
    16,384 characters is not examined and yields True. Never raises.

    Args:
        url: the URL; its fragment is ignored.
    """
    if not isinstance(url, str):
        return False
    if len(url) > 2 * _MAX_CHARS:
        return True
    if (_LOWER.fullmatch(url) and not _MANY_DIGITS.search(url)) or not is_suspect(
        _CLICK_ID_PAIR.sub("", url) if "ttclid=" in url else url
    ):
        return False
    path, _, query = url.partition("#")[0].partition("?")
    if path[:4].lower() == "http":
        path = path.partition("//")[2].partition("/")[2]  # a host is not personal
    return _path_reveals(path) or any(map(_pair_reveals, query.split("&")))


def _path_reveals(path: str) -> bool:
    before = ""
    for segment in path.split("/"):
        if _segment_reveals(segment, before):
            return True
        before = segment
    return False


def _segment_reveals(segment: str, before: str) -> bool:
    """Return whether a path segment is personal. A long number after a word such as ``orders`` is no payment card."""
    if not is_suspect(segment):
        return False
    # Some software encodes spaces in paths as ``+``, as in queries.
    readings = {decoded(segment), query_decoded(segment)}
    return any(text is None or reveals(text, may_be_card=may_hold_card(before)) for text in readings)


def _pair_reveals(pair: str) -> bool:
    """Return whether one pair of a query is personal, judged by its key and its value."""
    raw_key, equals, raw = pair.partition("=")
    if not is_suspect(pair) or (raw_key == "ttclid" and _CLICK_ID.fullmatch(raw)):
        return False
    key = query_decoded(raw_key)
    if key is None or reveals(key):
        return True
    if not equals:
        return False
    text = query_decoded(raw)
    return text is None or reveals(text, may_be_card=may_hold_card(key)) or key_reveals(key, text)


def _host(host: str) -> str:
    """Return the host in ASCII (IDNA), or empty if it is not a valid host name."""
    if host.isascii():
        return host
    try:
        return host.encode("idna").decode("ascii")
    except UnicodeError:
        return ""


def _shortened(url: str) -> str:
    """Return the beginning of an overlong URL, cut at a delimiter."""
    begin = url[:_MAX_CHARS]
    return begin[: max(begin.rfind(mark) for mark in ("/", "?", "&"))]


def _kept_path(path: str, deny: frozenset[str]) -> str:
    if not deny and "%" not in path and ";" not in path and not _LONG.search(path) and not is_suspect(path):
        return path if _SAFE_RAW.fullmatch(path.replace("/", "")) else _quoted(path)
    kept = []
    before = ""
    for segment in path.split("/"):
        raw = segment.partition(";")[0]  # path parameters may hold session ids
        text = decoded(raw)
        is_denied = before.lower() in deny
        if raw and (is_denied or text is None or looks_opaque(text) or _segment_reveals(raw, before)):
            kept.append(REDACTED)
        else:
            kept.append(raw if _SAFE_RAW.fullmatch(raw) else _quoted(raw))
        before = text or ""
    return "/".join(kept)


def _kept_pair(pair: str, allow: frozenset[str], deny: frozenset[str]) -> str:
    """Return the pair, redacted if necessary; empty if it must be removed."""
    raw_key, _, raw = pair.partition("=")
    key = unquote(raw_key) if "%" in raw_key else raw_key
    if not (key == "ttclid" or key.startswith("utm_") or key in allow) or key in deny or key.lower() in deny:
        return ""
    if _SAFE_KEY.fullmatch(key) is None:
        return ""
    if key == "ttclid":
        click_id = unquote(raw)
        return f"ttclid={click_id}" if _CLICK_ID.fullmatch(click_id) and not identifier_reveals(click_id) else ""
    text = query_decoded(raw)
    if text is None or looks_opaque(text) or _pair_reveals(f"{raw_key}={raw}"):
        return f"{key}={REDACTED}"
    return f"{key}={raw if _SAFE_RAW.fullmatch(raw) else _quoted(raw)}"


def _quoted(raw: str) -> str:
    """Return the text with characters that are invalid in a URL encoded. Keep existing percent-encodings."""
    return quote(raw, safe="/%!$&'()*+,=:@~", errors="replace")
