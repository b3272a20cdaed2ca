"""A page's address as the server channel may tell it; it judges text, and knows neither requests nor consent.

Kept: scheme, host, path, ``ttclid`` and ``utm_*`` (TikTok reads the click id out of the address). The rest of the query
goes, and what looks like a person or a secret is replaced by ``redacted``, in paths and in kept values too.
"""

from __future__ import annotations

import re
from urllib.parse import quote, unquote

from tiktok_middleware.core.visitor.pii import (
    FULL_WIDTH,
    could_be_personal,
    holds_card,
    holds_email,
    holds_phone,
    holds_secret,
    looks_opaque,
)

__all__ = ["REDACTED", "holds_identity", "server_address"]

REDACTED = "redacted"

_NOTHING: frozenset[str] = frozenset()

# Servers and browsers pass on no longer address in practice; what lies beyond is not looked at, so not told.
_MAX_CHARS = 8_192
# How often a value may have been encoded, one redirect inside another; deeper nesting hides something.
_MAX_LAYERS = 5

# Host: anything but what ends it or has no place in it, because hosts may be written in any script.
_ORIGIN = re.compile(
    r"([hH][tT][tT][pP][sS]?)://(?:[^/?#\\]*@)?"
    r"([^\x00-,/:-@\[-^`{-\xa0\ud800-\udfff]{1,253}|\[[0-9A-Fa-f:.]{2,45}\])(:[0-9]{1,5})?(?=[/?#]|$)"
)

# Together these two say that there is nothing to do: no query, nothing encoded; no long number, no long run.
_PLAIN = re.compile(r"https?://[a-z0-9.-]+(?::[0-9]{1,5})?(?:/[A-Za-z0-9._~/-]*)?")
_PLAIN_TARGET = re.compile(rf"(?:{_PLAIN.pattern})|/[A-Za-z0-9._~/-]*")
_LONG = re.compile(r"[0-9](?:[.-]?[0-9]){6}|[A-Za-z0-9]{20}|_(?:live|test)_|eyJ")

_SAFE_RAW = re.compile(r"[A-Za-z0-9._~!$&'()*+,=:@%-]*")
_SAFE_KEY = re.compile(r"[A-Za-z0-9_.\-]{1,64}")
_CLICK_ID = re.compile(r"[A-Za-z0-9._~-]{1,1000}")


_INNER = re.compile(r"[?&#]")

_NAME_KEYS = ("firstname", "lastname", "fullname", "givenname", "familyname", "surname", "vorname", "nachname")
_PHONE_KEYS = ("phone", "phonenumber", "telephone", "mobile", "mobilenumber", "msisdn", "whatsapp")
_SECRET_KEYS = ("password", "passwd", "dateofbirth", "birthdate", "birthday")
_SHORT_KEYS = {"fname": _NAME_KEYS, "lname": _NAME_KEYS, "tel": _PHONE_KEYS, "pwd": _SECRET_KEYS}
_SHORT_KEYS |= dict.fromkeys(("dob", "ssn", "iban"), _SECRET_KEYS)
_KEY_WORDS = "name phone mobile tel msisdn whatsapp passw pwd birth dob ssn iban".split()  # noqa: SIM905 -- one line
_ID_KEYS = ("id", "sku", "ean", "gtin", "item", "items", "product", "variant", "order", "oid", "pid")


def server_address(url: str, allow: frozenset[str] = _NOTHING, deny: frozenset[str] = _NOTHING) -> str:
    """The address without what TikTok may not be told; empty where it is no http address. Never raises.

    Source: TikTok's Business Products (Data) Terms 2.8 and its page on prohibited data: addresses and UTM parameters
    are scanned. A click id passes whole or not at all.

    Args:
        url: the address of the page or its referrer.
        allow: query keys that are kept besides ``ttclid`` and ``utm_*``, their values redacted where needed.
        deny: lower-case query keys that are always cut; as a word of the path they redact the next one.
    """
    if not isinstance(url, str):
        return ""
    if not deny and len(url) <= _MAX_CHARS and _PLAIN.fullmatch(url) and not _LONG.search(url):
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
    """True when a page at this address must not load the pixel, which reports addresses as they are. Never raises.

    True for an e-mail address, a phone number written as one, a payment card, an unmistakable token, and for names,
    phone numbers, birth dates and passwords under keys that say so; in path and query, however often encoded. Not for
    click ids, order numbers, product ids, dates, slugs, nor for other long tokens: thank-you pages and shop systems are
    full of those, and the server channel redacts them.

    An address above 16,384 characters counts as holding something: nobody has read it.

    Args:
        url: the address; its fragment does not count.
    """
    if not isinstance(url, str) or (_PLAIN_TARGET.fullmatch(url) and not _LONG.search(url)):
        return False
    if len(url) > 2 * _MAX_CHARS:
        return True
    path, _, query = url.partition("#")[0].partition("?")
    if path[:4].lower() == "http":
        path = path.partition("//")[2].partition("/")[2]  # a host is nobody
    if could_be_personal(path) and any(map(_is_personal, path.split("/"))):
        return True
    if not query or not (could_be_personal(query) or _names_something(query)):
        return False
    return any(map(_pair_is_personal, query.split("&")))


def _names_something(query: str) -> bool:
    """True when a key may say that its value is personal; a quick look that lets usual queries go."""
    lowered = query.lower().replace("_", "").replace("-", "")
    for word in _KEY_WORDS:  # noqa: SIM110  # every page with a query is asked, and a generator takes thrice as long
        if word in lowered:
            return True
    return False


def _host(host: str) -> str:
    """The host as browsers write it, in ASCII, or empty where it is no host name."""
    if host.isascii():
        return host
    try:
        return host.encode("idna").decode("ascii")
    except UnicodeError:
        return ""


def _shortened(url: str) -> str:
    """The beginning of an overlong address, without the word it was cut in."""
    begin = url[:_MAX_CHARS]
    return begin[: max(begin.rfind(mark) for mark in ("/", "?", "&"))]


def _kept_path(path: str, deny: frozenset[str]) -> str:
    if not deny and "%" not in path and ";" not in path and not _LONG.search(path) and not could_be_personal(path):
        return path if _SAFE_RAW.fullmatch(path.replace("/", "")) else _quoted(path)
    kept = []
    is_denied = False
    for segment in path.split("/"):
        raw = segment.partition(";")[0]  # path parameters hold session ids
        text = _decoded(raw)
        if raw and (is_denied or _is_redacted(text)):
            kept.append(REDACTED)
        else:
            kept.append(raw if _SAFE_RAW.fullmatch(raw) else _quoted(raw))
        is_denied = text is not None and text.lower() in deny
    return "/".join(kept)


def _kept_pair(pair: str, allow: frozenset[str], deny: frozenset[str]) -> str:
    """The pair as it may be told, or nothing."""
    raw_key, _, raw = pair.partition("=")
    key = unquote(raw_key) if "%" in raw_key else raw_key
    if not (key == "ttclid" or key.startswith("utm_") or key in allow) or key in deny or key.lower() in deny:
        return ""
    if _SAFE_KEY.fullmatch(key) is None:
        return ""
    if key == "ttclid":
        click_id = unquote(raw)
        return f"ttclid={click_id}" if _CLICK_ID.fullmatch(click_id) else ""
    text = _decoded(raw)
    if _is_redacted(text) or (text is not None and "+" in text and _is_redacted(text.replace("+", " "))):
        return f"{key}={REDACTED}"
    return f"{key}={raw if _SAFE_RAW.fullmatch(raw) else _quoted(raw)}"


def _quoted(raw: str) -> str:
    """The text with what may not stand in an address encoded; what is encoded already stays."""
    return quote(raw, safe="/%!$&'()*+,=:@~", errors="replace")


def _decoded(raw: str) -> str | None:
    """The text behind the encodings, full-width letters made plain, or None where there are too many layers."""
    text = raw
    for _ in range(_MAX_LAYERS):
        if "%" not in text:
            break
        text, before = unquote(text), text
        if text == before:  # a percent sign that encodes nothing
            break
    else:
        if unquote(text) != text:
            return None
    return text if text.isascii() else text.translate(FULL_WIDTH)


def _is_redacted(text: str | None) -> bool:
    return text is None or _reads_personal(text) or looks_opaque(text)


def _is_personal(raw: str) -> bool:
    text = _decoded(raw)
    return text is None or _reads_personal(text)


def _reads_personal(text: str, *, may_be_card: bool = True) -> bool:
    if not could_be_personal(text):
        return False
    return holds_email(text) or holds_phone(text) or holds_secret(text) or (may_be_card and holds_card(text))


def _pair_is_personal(pair: str) -> bool:
    """True when one pair of the query holds identity, by its value or by what its key says of it."""
    raw_key, _, raw = pair.partition("=")
    if raw_key == "ttclid" and _CLICK_ID.fullmatch(raw):
        return False
    if not could_be_personal(pair) and not _names_something(pair):
        return False
    if not raw:
        return _is_personal(raw_key)  # "?bob@example.com" is a key without a value
    key, text = _decoded(raw_key), _decoded(raw)
    if key is None or text is None or _reads_personal(key):
        return True
    is_id = _fold(key).endswith(_ID_KEYS)
    if _reads_personal(text, may_be_card=not is_id):
        return True
    if "+" in text and _reads_personal(text.replace("+", " "), may_be_card=not is_id):
        return True
    if "?" in text and any(_key_says_so(*inner.split("=", 1)) for inner in _INNER.split(text) if "=" in inner):
        return True  # an address inside the address, such as where to go after signing in
    return _key_says_so(key, text)


def _key_says_so(key: str, text: str) -> bool:
    """True when a key names something personal and the value may be it."""
    folded = _fold(key)
    if folded.endswith(_NAME_KEYS) or _SHORT_KEYS.get(folded) is _NAME_KEYS:
        return any(map(str.isalpha, text))
    if folded.endswith(_PHONE_KEYS) or _SHORT_KEYS.get(folded) is _PHONE_KEYS:
        return sum(map(str.isdigit, text)) >= 7
    return bool(text) and (folded.endswith(_SECRET_KEYS) or _SHORT_KEYS.get(folded) is _SECRET_KEYS)


def _fold(key: str) -> str:
    """The key as one word: ``customer[first_name]`` and ``customerFirstName`` are the same to us."""
    return "".join(filter(str.isalnum, key[-100:])).lower()
