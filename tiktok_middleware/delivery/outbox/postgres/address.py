"""Address of an outbox in PostgreSQL: the connection parameters and the schema of the tables."""

from __future__ import annotations

import importlib
import re
from collections.abc import Callable, Mapping
from typing import NamedTuple

import psycopg
from psycopg.conninfo import conninfo_to_dict

from tiktok_middleware._printable import without_password
from tiktok_middleware.errors import ConfigError

__all__ = ["ALLOWED", "SCHEMA", "PostgresAddress", "read_address"]

SCHEMA = "tiktok_middleware"
"""Default schema of the tables."""

ALLOWED = (
    "postgresql://USER:PASSWORD@HOST/DATABASE, with libpq's parameters, schema=NAME and wait=SECONDS (up to 60)"
    " after a ?, or django:ALIAS"
)

_OURS = re.compile(r"(?<=[?&])(schema|wait)=([^&]*)(&|$)")
_WAIT_S = 0.18  # a response waits for 250 ms; the rest is for storing the events on this host
_MAX_WAIT_S = 60.0
_SCHEMA_NAME = re.compile(r"(?!pg_|information_schema$)[a-z_][a-z0-9_]{0,40}")  # PostgreSQL's own are reserved
_CONNECT_S = 5
_DEFAULTS = {
    "application_name": "tiktok-middleware",
    "connect_timeout": str(_CONNECT_S),
    # A host that disappears without closing its connections is noticed within about 5 seconds.
    "keepalives_idle": "2",
    "keepalives_interval": "1",
    "keepalives_count": "3",
    "tcp_user_timeout": "5000",
}


def _always() -> bool:
    return True


class PostgresAddress(NamedTuple):
    """Where an outbox is.

    Attributes:
        parameters: parameters of libpq, by name.
        schema: schema of the tables.
        shown: the address without its password.
        wait_s: how long a put waits for an answer before its events wait on this host, in seconds.
        is_kept: returns whether a connection may stay open between two uses.
    """

    parameters: Mapping[str, str]
    schema: str
    shown: str
    wait_s: float = _WAIT_S
    is_kept: Callable[[], bool] = _always

    def __repr__(self) -> str:
        return f"PostgresAddress({self.shown!r}, schema={self.schema!r})"


def read_address(url: str) -> PostgresAddress:
    """Return the parts of a ``postgresql://`` URL. Its own parameters outrank our defaults.

    Raises:
        ConfigError: the URL is malformed.
    """
    ours = {name: value for name, value, _ in _OURS.findall(url)}
    schema, wait = ours.get("schema", SCHEMA), ours.get("wait", str(_WAIT_S))
    if not _SCHEMA_NAME.fullmatch(schema):
        raise ConfigError(
            "TIKTOK_OUTBOX",
            without_password(url),
            f"a schema of lower-case letters, digits and _, without pg_ at its start; {ALLOWED}",
        )
    if not re.fullmatch(r"\d{1,2}(\.\d{1,3})?", wait) or not 0 < float(wait) <= _MAX_WAIT_S:
        raise ConfigError("TIKTOK_OUTBOX", without_password(url), f"a wait of 0.001 to 60 seconds; {ALLOWED}")
    plain = _OURS.sub("", url).rstrip("?&")
    if plain.startswith("django:"):
        return _django_address(plain, schema, float(wait))
    try:
        given = {name: str(value) for name, value in conninfo_to_dict(plain).items() if value is not None}
    except psycopg.Error:
        # libpq's message may quote the password.
        raise ConfigError("TIKTOK_OUTBOX", without_password(url), ALLOWED) from None
    if not all(port.isdecimal() for port in given.get("port", "0").split(",") if port):
        raise ConfigError("TIKTOK_OUTBOX", without_password(url), f"numbers as ports; {ALLOWED}")
    parameters = {**_DEFAULTS, **given}
    if "," in given.get("host", ""):
        parameters.setdefault("target_session_attrs", "read-write")  # of several hosts, the one that may be written
    return PostgresAddress(parameters, schema, without_password(url), float(wait))


def _django_address(url: str, schema: str, wait_s: float) -> PostgresAddress:
    """Return the address of a database of Django's. Only its integration imports Django, and only where it is named."""
    try:
        database = importlib.import_module("tiktok_middleware.contrib._django_database")
    except ImportError as error:
        raise ConfigError("TIKTOK_OUTBOX", url, f"django:ALIAS in a Django project ({error})") from error
    known = frozenset(option.keyword.decode() for option in psycopg.pq.Conninfo.get_defaults())
    parameters = database.DjangoParameters(database.alias_of(url), known, _DEFAULTS)
    return PostgresAddress(parameters, schema, url, wait_s, lambda: not parameters.is_test)
