"""The outbox in a database of Django's ``DATABASES``: how to reach it, and the transactions that its events join."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from django.core import mail
from django.core.exceptions import ImproperlyConfigured
from django.db import DEFAULT_DB_ALIAS, connections
from django.utils.connection import ConnectionDoesNotExist

from tiktok_middleware.errors import ConfigError, OutboxError

__all__ = ["DATABASE", "DjangoParameters", "alias_of", "open_transaction"]

DATABASE = "django:"
"""How ``TIKTOK_OUTBOX`` begins for a database of Django's."""

_ALLOWED = "django:ALIAS with an alias of DATABASES whose engine is PostgreSQL"


def alias_of(outbox: str) -> str:
    """Return the alias in a value of ``TIKTOK_OUTBOX``; empty if it names no database of Django's."""
    if not outbox.startswith(DATABASE):
        return ""
    return outbox.removeprefix(DATABASE).partition("?")[0] or DEFAULT_DB_ALIAS


def open_transaction(alias: str) -> Any:
    """Return Django's connection of this thread if a transaction is open on it; else None."""
    connection = connections[alias]
    return connection if connection.in_atomic_block else None


class DjangoParameters(Mapping[str, str]):
    """libpq's parameters of a database of Django's, read at each use: tests change the name of the database.

    Args:
        alias: its alias in ``DATABASES``.
        known: names of libpq's parameters; all others are Django's own.
        defaults: parameters that Django's settings outrank.

    Raises:
        ConfigError: there is no such database, or it is not PostgreSQL.
    """

    def __init__(self, alias: str, known: frozenset[str], defaults: Mapping[str, str]) -> None:
        self._alias = alias
        self._known = known
        self._defaults = defaults
        self._was_test = False
        self._last: dict[str, str] = {}
        try:
            vendor = connections[alias].vendor
        except ConnectionDoesNotExist:
            aliases = ", ".join(sorted(connections))
            raise ConfigError("TIKTOK_OUTBOX", f"{DATABASE}{alias}", f"{_ALLOWED}; there are: {aliases}") from None
        except (ImproperlyConfigured, ImportError) as error:
            raise ConfigError("TIKTOK_OUTBOX", f"{DATABASE}{alias}", f"{_ALLOWED} ({error})") from None
        if vendor != "postgresql":
            raise ConfigError("TIKTOK_OUTBOX", f"{DATABASE}{alias}", f"{_ALLOWED}; its engine is {vendor}")

    @property
    def is_test(self) -> bool:
        """Return whether Django's tests run. No connection may stay open then, so that they can remove the database."""
        return hasattr(mail, "outbox")

    def _read(self) -> dict[str, str]:
        try:
            connection = connections[self._alias]
        except ConnectionDoesNotExist as error:
            raise OutboxError(f"outbox {DATABASE}{self._alias}: {error}") from None
        self._was_test = self._was_test or self.is_test
        if self._was_test and not (self.is_test and _is_of_tests(connection)):
            # The database that tests have used is gone: what they left must not get into the real one.
            raise OutboxError(f"outbox {DATABASE}{self._alias}: the database of the tests is gone")
        given = {name: str(value) for name, value in connection.get_connection_params().items() if name in self._known}
        if role := connection.settings_dict.get("OPTIONS", {}).get("assume_role"):
            given["options"] = f"{given.get('options', '')} -c role={role}".strip()
        return {**self._defaults, **given}

    def __getitem__(self, name: str) -> str:
        return self._last[name]

    def __iter__(self) -> Iterator[str]:
        self._last = self._read()
        return iter(self._last)

    def __len__(self) -> int:
        return len(self._read())


def _is_of_tests(connection: Any) -> bool:
    """Return whether Django has replaced the name of the database by that of its tests."""
    name, given = str(connection.settings_dict["NAME"]), connection.settings_dict.get("TEST", {}).get("NAME")
    return name.startswith((given or "test_", "test_"))
