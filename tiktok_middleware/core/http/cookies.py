"""Read ``Cookie`` headers as tolerantly as browsers do, and write ``Set-Cookie`` values by RFC 6265."""

from __future__ import annotations

import re

__all__ = ["MAX_HEADER_CHARS", "delete_cookie", "is_cookie_name", "read_cookies", "set_cookie"]

#: Characters of a ``Cookie`` header that are read. A longer header leaves the visitor's consent unknown.
MAX_HEADER_CHARS = 32_768
_VALUE = re.compile(r"[!#-+\--:<-\[\]-~]*")  # RFC 6265 section 4.1.1, cookie-octet
_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")  # RFC 9110 section 5.6.2, token
_DOMAIN = re.compile(r"[a-z0-9_](?:[a-z0-9._-]{0,251}[a-z0-9_])?")


def is_cookie_name(name: str) -> bool:
    """Return whether a server may set a cookie of this name. Browsers also send names that servers may not set."""
    return _NAME.fullmatch(name) is not None


def read_cookies(header: str, within: str = "=") -> dict[str, str]:
    """Return cookie values by name. If a name comes twice, the first wins: browsers send the closest path first.

    This function splits on semicolons and never fails. The standard library's ``SimpleCookie`` stops at the first
    cookie that it cannot parse and drops the rest, and consent platforms write such cookies.

    Args:
        header: the ``Cookie`` header.
        within: a text that every wanted cookie contains; most of the other cookies are skipped.
    """
    if len(header) > MAX_HEADER_CHARS:
        header = header[:MAX_HEADER_CHARS].rpartition(";")[0]  # the cookie at the cut is incomplete
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
    """Return a ``Set-Cookie`` value for the whole site, with ``SameSite=Lax``.

    Raises:
        ValueError: the name, the value or the domain contains a character that is not allowed there.
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
    """Return a ``Set-Cookie`` value that deletes the cookie of this name and domain."""
    return set_cookie(name, "", max_age_s=0, domain=domain, secure=secure)
