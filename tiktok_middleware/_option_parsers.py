"""Parsers for each kind of option. The message of a ``ValueError`` is what the option allows, in words."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable
from urllib.parse import urlsplit

from tiktok_middleware._pattern_cost import MAX_WAYS, ways
from tiktok_middleware._printable import without_password

__all__ = [
    "boolean",
    "bot_rules",
    "bots",
    "choice",
    "consent",
    "cookie_domain",
    "endpoint",
    "function",
    "header_name",
    "masked",
    "outbox",
    "path_globs",
    "proxies",
    "sink",
    "some_of",
    "text",
    "url",
    "whole",
    "words",
]

_URL_ALLOWED = "an absolute http or https address without user, query and fragment"
_TRUE = frozenset({"1", "true", "yes", "on"})
_FALSE = frozenset({"0", "false", "no", "off"})
_FACTORY = re.compile(r"import:[A-Za-z_][\w.]*:[A-Za-z_][\w.]*")
_DOMAIN = re.compile(r"(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z0-9][a-z0-9-]{0,61}[a-z0-9]")
_PLATFORM = re.compile(r"[A-Za-z][\w .-]{0,60}(:\S.*)?", re.ASCII)
_COOKIE_CONSENT = re.compile(r"cookie:[!#$%&'*+.^_`|~0-9A-Za-z-]+=[^;,\s]+")


def masked(secret: str) -> str:
    """Return a secret in printable form: its length, and its first two characters if it has 12 or more."""
    if not secret:
        return "empty"
    return f"{ascii(secret[:2])[1:-1] if len(secret) >= 12 else ''}... ({len(secret)} characters)"


def text(value: object) -> str:
    """Return the text, trimmed; reject control characters."""
    if not isinstance(value, str):
        raise ValueError("text")  # noqa: TRY004  # the caller turns it into an error that names the variable
    value = value.strip()
    if not value.isprintable():
        raise ValueError("text without line breaks and control characters")
    return value


def words(value: object) -> str:
    """Parse comma-separated words or a list of words; return ``a,b,c``."""
    if isinstance(value, (list, tuple)):
        value = ",".join(str(item) for item in value)
    parts = [part.strip() for part in text(value).split(",")]
    if parts == [""]:
        return ""
    if not all(parts) or any(re.search(r"[\s\"'<>\\]", part) for part in parts):
        raise ValueError("words separated by commas, without spaces, quotes or empty places")
    return ",".join(parts)


_RULES_ALLOWED = (
    "auto, or rules separated by commas, such as auto,+MyShopApp,-AcmeMonitor: + and a regular expression for people's"
    " user agents, - and one for those of bots; at most 50 rules, each up to 200 characters"
)
_SLOW = "it may search for too long: use at most one repetition without a limit, such as .* or [0-9]+"


def bots(value: object) -> str:
    """Parse ``auto``, or rules ``+PATTERN`` and ``-PATTERN`` separated by commas; return ``auto,+a,-b``."""
    if isinstance(value, (list, tuple)):
        value = ",".join(str(item) for item in value)
    # A comma inside a pattern, as in {1,3}, is no separator.
    joined = text(value) or "auto"
    parts = [part.strip() for part in re.split(r",(?=\s*(?:[+-]|auto\s*(?:,|$)))", joined)]
    rules = [part for part in parts if part != "auto"]
    if len(rules) > 50 or not all(2 <= len(rule) <= 201 and rule[0] in "+-" for rule in rules):
        raise ValueError(_RULES_ALLOWED)
    for rule in rules:
        _check_pattern(rule)
    return ",".join(["auto", *rules])


def _check_pattern(rule: str) -> None:
    try:
        re.compile(rule[1:])
        is_slow = ways(rule[1:]) > MAX_WAYS
    except (re.error, OverflowError, RecursionError) as error:
        raise ValueError(f"{_RULES_ALLOWED} (in {rule[:60]}: {error})") from None
    if is_slow:
        raise ValueError(f"{_RULES_ALLOWED} (in {rule[:60]}: {_SLOW})")


def bot_rules(parsed: str) -> tuple[str, ...]:
    """Return the rules of a parsed value, each with its sign."""
    return tuple(part for part in re.split(r",(?=[+-])", parsed) if part != "auto")


def boolean(value: object) -> bool:
    """Parse true, 1, yes, on as True and false, 0, no, off as False, in upper or lower case."""
    if isinstance(value, bool):
        return value
    word = str(value).strip().lower()
    if word in _TRUE:
        return True
    if word in _FALSE:
        return False
    raise ValueError("true or false")


def choice(*allowed: str, pattern: str | None = None, hint: str = "") -> Callable[[object], str]:
    """Return a parser that accepts one of the words, or a text that matches the pattern."""

    def read(value: object) -> str:
        word = text(value)
        if word in allowed or (pattern is not None and re.fullmatch(pattern, word)):
            return word
        raise ValueError(hint or f"one of {', '.join(word for word in allowed if word)}")

    return read


def some_of(*allowed: str) -> Callable[[object], str]:
    """Return a parser that accepts ``all``, ``none`` or some of the words, separated by commas."""

    def read(value: object) -> str:
        given = words(value).lower()
        parts = given.split(",")
        if given not in {"all", "none"} and not set(parts) <= set(allowed):
            raise ValueError(f"all, none or some of {', '.join(allowed)}")
        return given

    return read


def whole(most: int, unit: str) -> Callable[[object], int]:
    """Return a parser for a whole number from 0 to ``most``; ``unit`` is for the error message."""

    def parse(value: object) -> int:
        if isinstance(value, int) and not isinstance(value, bool):
            number = value
        elif isinstance(value, str) and re.fullmatch(r"[0-9]{1,12}", value.strip()):
            number = int(value)
        else:
            number = -1
        if not 0 <= number <= most:
            raise ValueError(f"a whole number of {unit} from 0 to {most}")
        return number

    return parse


def consent(value: object) -> str:
    """Parse ``implied``, ``required``, ``cookie:NAME=VALUE``, ``import:package.module:function`` or a platform.

    The name of a platform and its argument are checked at start, by ``core/consent/platforms``, which lists all names.
    """
    word = text(value)
    if _COOKIE_CONSENT.fullmatch(word) or _FACTORY.fullmatch(word):
        return word
    if _PLATFORM.fullmatch(word) and not word.startswith(("cookie:", "import:")):
        return word
    raise ValueError(
        "implied, required, cookie:NAME=VALUE, import:package.module:function or a consent platform such as onetrust"
    )


def function(value: object) -> str:
    """Parse ``import:package.module:function``, or an empty text."""
    word = text(value)
    if not word or _FACTORY.fullmatch(word):
        return word
    raise ValueError("import:package.module:function")


def sink(value: object) -> str:
    """Parse ``direct``, ``celery`` or ``import:package.module:factory``."""
    word = text(value)
    if word in {"direct", "celery"} or _FACTORY.fullmatch(word):
        return word
    raise ValueError("direct, celery or import:package.module:factory")


def cookie_domain(value: object) -> str:
    """Parse ``auto``, ``host`` or a domain; return it without its leading dot."""
    word = text(value).lower().lstrip(".")
    if word in {"auto", "host"} or _DOMAIN.fullmatch(word):
        return word
    raise ValueError("auto, host or a domain such as shop.example")


def proxies(value: object) -> str:
    """Parse a number of proxies from 0 to 20, or comma-separated CIDRs."""
    word = words(str(value) if isinstance(value, int) and not isinstance(value, bool) else value)
    if re.fullmatch(r"\d{1,2}", word) and int(word) <= 20:
        return word
    try:
        for part in word.split(","):
            ipaddress.ip_network(part, strict=False)
    except ValueError:
        raise ValueError("a number of proxies (0 to 20), or networks such as 10.0.0.0/8,192.168.0.0/16") from None
    return word


def header_name(value: object) -> str:
    """Parse the name of a header (RFC 9110 section 5.6.2); return it in lower case."""
    word = text(value).lower()
    if re.fullmatch(r"[!#$%&'*+.^_`|~0-9a-z-]{1,64}", word):
        return word
    raise ValueError("x-forwarded-for, forwarded, or a header's name such as cf-connecting-ip")


def path_globs(value: object) -> str:
    """Parse comma-separated globs, each beginning with ``/`` or ``*``."""
    joined = words(value)
    for glob in joined.split(",") if joined else ():
        if glob[0] not in "/*":
            raise ValueError("path globs such as /admin/*,/health, each beginning with / or *")
    return joined


def endpoint(value: object) -> str:
    """Parse a path prefix such as ``/_tiktok``."""
    word = text(value).rstrip("/")
    if re.fullmatch(r"(/(?!\.+(/|$))[A-Za-z0-9._~-]+)+", word):
        return word
    raise ValueError("a path such as /_tiktok")


class _UrlWithPassword(str):
    """URL whose ``repr`` hides user and password."""

    __slots__ = ()

    def __repr__(self) -> str:
        return repr(without_password(str(self)))


def outbox(value: object) -> str:
    """Parse ``sqlite:``, ``sqlite:///path``, ``memory://``, ``postgresql://...`` or ``django:ALIAS``."""
    word = text(value)
    if word.startswith(("postgresql://", "postgres://")):
        return _UrlWithPassword("postgresql://" + word.partition("://")[2])
    if re.fullmatch(r"django:[\w.-]*(\?[\w=&.-]+)?", word):
        return word if word != "django:" else "django:default"
    if word in {"sqlite:", "memory://", "memory:"} or (word.startswith("sqlite:///") and len(word) > len("sqlite:///")):
        return "memory://" if word == "memory:" else word
    raise ValueError(
        "sqlite: (the user's state directory), sqlite:///path/to/file, memory://, postgresql://USER:PASSWORD@HOST/NAME"
        " or django:ALIAS"
    )


def url(value: object) -> str:
    """Parse an absolute http or https URL without query; return it without its trailing slash."""
    word = text(value)
    try:
        parts = urlsplit(word)
        parts.port  # noqa: B018  # raises if it is no number
    except ValueError:
        raise ValueError(_URL_ALLOWED) from None
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.query or parts.fragment or parts.username:
        raise ValueError(_URL_ALLOWED)
    return word.rstrip("/")
