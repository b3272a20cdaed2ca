"""Cookie headers in both directions: RFC 6265 read with a browser's tolerance, and written with ours."""

from __future__ import annotations

import re

__all__ = ["delete_cookie", "read_cookies", "set_cookie"]

_MAX_HEADER_CHARS = 32_768
_VALUE = re.compile(r"[!#-+\--:<-\[\]-~]*")  # RFC 6265 section 4.1.1, cookie-octet


def read_cookies(header: str) -> dict[str, str]:
    """Values by name; of a name that comes twice the first, which browsers send from the closest path.

    The standard library's ``SimpleCookie`` gives up at the first odd cookie and drops the rest; consent
    platforms write such cookies, so this splits on semicolons and never fails.
    """
    cookies: dict[str, str] = {}
    for pair in header[:_MAX_HEADER_CHARS].split(";"):
        name, equals, value = pair.partition("=")
        if equals:
            cookies.setdefault(name.strip(), value.strip())
    return cookies


def set_cookie(
    name: str, value: str, *, max_age_s: int, domain: str = "", secure: bool = False, http_only: bool = False
) -> str:
    """A ``Set-Cookie`` value for the whole site, ``SameSite=Lax``.

    Raises:
        ValueError: the value holds a character that a cookie cannot carry.
    """
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
