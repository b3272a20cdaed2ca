"""Cookie headers in both directions: RFC 6265 read with a browser's tolerance, and written with ours."""

from __future__ import annotations

import re

__all__ = ["MAX_HEADER_CHARS", "delete_cookie", "is_cookie_name", "read_cookies", "set_cookie"]

#: What lies beyond is not read: a header that is longer leaves the visitor's consent unknown.
MAX_HEADER_CHARS = 32_768
_VALUE = re.compile(r"[!#-+\--:<-\[\]-~]*")  # RFC 6265 section 4.1.1, cookie-octet
_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")  # RFC 9110 section 5.6.2, token
_DOMAIN = re.compile(r"[a-z0-9_](?:[a-z0-9._-]{0,251}[a-z0-9_])?")


def is_cookie_name(name: str) -> bool:
    """Return whether a cookie of this name can be written: browsers send odder ones than servers may set."""
    return _NAME.fullmatch(name) is not None


def read_cookies(header: str, within: str = "=") -> dict[str, str]:
    """Values by name; of a name that comes twice the first, which browsers send from the closest path.

    The standard library's ``SimpleCookie`` gives up at the first odd cookie and drops the rest; consent
    platforms write such cookies, so this splits on semicolons and never fails.

    Args:
        header: the ``Cookie`` header.
        within: a text that the wanted cookies hold; most of the others are passed over.
    """
    if len(header) > MAX_HEADER_CHARS:
        header = header[:MAX_HEADER_CHARS].rpartition(";")[0]  # the cookie at the cut is no longer itself
    cookies: dict[str, str] = {}
    for pair in header.split(";"):
        if within in pair:
            name, equals, value = pair.partition("=")
            if equals:
                cookies.setdefault(name.strip(), value.strip())
    return cookies


def set_cookie(
    name: str, value: str, *, max_age_s: int, domain: str = "", secure: bool = False, http_only: bool = False
) -> str:
    """A ``Set-Cookie`` value for the whole site, ``SameSite=Lax``.

    Raises:
        ValueError: name, value or domain holds a character that it cannot carry.
    """
    if not _NAME.fullmatch(name) or (domain and not _DOMAIN.fullmatch(domain)):
        raise ValueError(f"{name!r} is no name, or {domain!r} no domain, of a cookie")
    if not _VALUE.fullmatch(value):
        raise ValueError(f"cookie {name} has a value that a cookie cannot carry")
    parts = [f"{name}={value}", f"Max-Age={max_age_s}", "Path=/"]
    if domain:
        parts.append(f"Domain={domain}")
    if secure:
        parts.append("Secure")
    if http_only:
        parts.append("HttpOnly")
    parts.append("SameSite=Lax")
    return "; ".join(parts)


def delete_cookie(name: str, *, domain: str = "", secure: bool = False) -> str:
    """A ``Set-Cookie`` value that makes the browser forget the cookie of this name and domain."""
    return set_cookie(name, "", max_age_s=0, domain=domain, secure=secure)
