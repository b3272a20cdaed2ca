"""Read Django's settings: the client's options, the check of ``manage.py check``, and the configured policy."""

from __future__ import annotations

from collections.abc import Container, Mapping
from functools import partial
from typing import Any

from django.apps import apps
from django.conf import settings
from django.core import checks
from django.utils import timezone

from tiktok_middleware.client import Client
from tiktok_middleware.config import DEBUG_DEFAULTS, Config
from tiktok_middleware.contrib._django_database import alias_of, open_transaction
from tiktok_middleware.contrib._django_tables import check_address, state_of_tables
from tiktok_middleware.contrib.django_cookie_consent import PACKAGES, GroupVersion
from tiktok_middleware.core.consent.platforms import reader_for
from tiktok_middleware.core.consent.state import State
from tiktok_middleware.core.page.csp import allows_inline
from tiktok_middleware.errors import ConfigError, OutboxError

__all__ = ["check_outbox", "check_settings", "client_of_settings", "config_of_settings", "in_django", "needs_nonce"]


def client_of_settings() -> Client:
    """Return ``settings.TIKTOK`` if it is a client, or else a client with its options."""
    given = getattr(settings, "TIKTOK", None) or {}
    if isinstance(given, Client):
        return in_django(given)
    keys = [str(key) for key in (settings.SECRET_KEY, *getattr(settings, "SECRET_KEY_FALLBACKS", ())) if key]
    config = config_of_settings()
    if not alias_of(config.outbox):
        return _new_client(keys)
    # Django's tests make a middleware for each test: its threads and connections must not become more with each.
    made_of = (config, keys, timezone.get_default_timezone_name())
    if not (_made and _made[0][0] == made_of and not getattr(_made[0][1].delivery, "is_closed", False)):
        _made[:] = [(made_of, _new_client(keys))]
    return _made[0][1]


_made: list[tuple[object, Client]] = []


def _new_client(keys: list[str]) -> Client:
    return in_django(Client.from_env(secret_keys=keys, is_debug=settings.DEBUG, **_options()))


def in_django(client: Client) -> Client:
    """Return the client, set to read naive event times in Django's ``TIME_ZONE``, as its models write them."""
    if client.runtime.zone is None:
        client.runtime.zone = timezone.get_default_timezone()
    if alias := alias_of(client.config.outbox):
        client.runtime.transaction = partial(open_transaction, alias)
    _watch_versions(client)
    return client


def config_of_settings() -> Config:
    """Return the configuration of ``settings.TIKTOK`` and the environment.

    Raises:
        ConfigError: an option is malformed.
    """
    given = getattr(settings, "TIKTOK", None)
    if isinstance(given, Client):
        return given.config
    return Config.from_env(defaults=DEBUG_DEFAULTS if settings.DEBUG else None, **_options())


def _watch_versions(client: Client) -> None:
    """Compare the versions of cookie groups, if a package with groups is installed and consent is read from it."""
    installed = next(filter(apps.is_installed, PACKAGES), "")
    if installed and client.config.consent.partition(":")[0] == "django":
        setting = reader_for(client.config.consent, implied=State.UNKNOWN).setting
        version = GroupVersion(setting.part(), setting.cookie or "cookie_consent", installed)
        client.runtime.reader = client.runtime.reader.while_current(version.covers)


def _options() -> dict[str, Any]:
    """Return the dict ``settings.TIKTOK`` as options."""
    given = getattr(settings, "TIKTOK", None) or {}
    return {str(name): value for name, value in given.items()}


_MIDDLEWARE = "tiktok_middleware.contrib.django.TikTokMiddleware"


@checks.register  # type: ignore[untyped-decorator]  # Django has no types
def check_settings(app_configs: object = None, **_: object) -> list[Any]:  # noqa: ARG001  # Django's name
    """Check ``settings.TIKTOK``, the environment and the position in ``MIDDLEWARE`` for ``manage.py check``.

    Django runs this check if ``"tiktok_middleware.contrib.django"`` is in ``INSTALLED_APPS``.
    """
    found: list[Any] = []
    try:
        outbox = config_of_settings().outbox
    except ConfigError as error:
        found.append(checks.Error(str(error), id="tiktok.E001"))
    else:
        found += _check_address(outbox)
    order = list(settings.MIDDLEWARE or ())
    if _MIDDLEWARE not in order:
        hint = f"Add {_MIDDLEWARE!r} as the first entry."
        found.append(checks.Warning("TikTokMiddleware is not in MIDDLEWARE.", hint=hint, id="tiktok.W001"))
    elif order[0] != _MIDDLEWARE:
        hint = "Put it first: it does not see what the middleware before it changes or answers."
        found.append(checks.Warning(f"TikTokMiddleware comes after {order[0]}.", hint=hint, id="tiktok.W002"))
    return found


@checks.register(checks.Tags.database)  # type: ignore[untyped-decorator]  # as above
def check_outbox(app_configs: object = None, databases: object = None, **_: object) -> list[Any]:  # noqa: ARG001
    """Check the outbox's database for ``manage.py migrate`` and ``manage.py check --database ALIAS``."""
    try:
        outbox = config_of_settings().outbox
    except ConfigError:
        return []  # reported by the check of the settings
    alias = alias_of(outbox)
    if not alias or not isinstance(databases, Container) or alias not in databases:
        return []
    try:
        tables = state_of_tables(outbox)
    except (ConfigError, ImportError):
        return []  # reported by the check of the settings
    except OutboxError as error:
        return [checks.Warning(f"The outbox cannot be read: {error}", id="tiktok.W004")]
    if not tables.exist:
        hint = "Put 'tiktok_middleware.contrib.django' into INSTALLED_APPS and run manage.py migrate."
        return [checks.Warning(f"The database {alias!r} has no tables of the outbox.", hint=hint, id="tiktok.W003")]
    if not tables.are_current:
        text = f"The outbox's tables in the database {alias!r} are those of an earlier release."
        return [checks.Warning(text, hint="Run manage.py migrate.", id="tiktok.W005")]
    if not tables.are_writable:
        text = f"The outbox's tables in the database {alias!r} cannot be written: it is a replica, or its role may not."
        hint = "Name the primary database, or grant the role USAGE on the schema and all rights on its tables."
        return [checks.Warning(text, hint=hint, id="tiktok.W006")]
    return []


def _check_address(outbox: str) -> list[Any]:
    """Check that the outbox can be in the database that it names. Nothing is connected to."""
    if not alias_of(outbox):
        return []
    try:
        check_address(outbox)
    except ConfigError as error:
        return [checks.Error(str(error), id="tiktok.E002")]
    return []


def needs_nonce(config: Config) -> bool:
    """Return whether our script needs a nonce: the configured policy forbids inline scripts without one."""
    is_written = config.is_on and config.csp != "off" and not config.browser_reason
    return is_written and not allows_inline(configured_policy())


def configured_policy() -> Mapping[str, object]:
    """Return the policy of Django (6.0 and newer) or django-csp: the enforced one, or else the report-only one."""
    for kind in ("", "_REPORT_ONLY"):
        package = getattr(settings, f"CONTENT_SECURITY_POLICY{kind}", None)
        directives = package.get("DIRECTIVES") if isinstance(package, Mapping) else None
        for policy in (getattr(settings, f"SECURE_CSP{kind}", None), directives):
            if isinstance(policy, Mapping) and policy:
                return policy
    names = ("default-src", "script-src", "script-src-elem")  # django-csp before 4.0
    return {name: getattr(settings, f"CSP_{name.upper().replace('-', '_')}", None) for name in names}
