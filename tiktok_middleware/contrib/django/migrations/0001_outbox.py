"""Create the outbox's tables, in a schema of their own, if ``TIKTOK_OUTBOX`` is ``django:ALIAS``."""

from __future__ import annotations

from typing import Any

from django.db import migrations

from tiktok_middleware.contrib._django_settings import config_of_settings
from tiktok_middleware.contrib._django_tables import create_tables

_django: Any = migrations


def create(_apps: Any, schema_editor: Any) -> None:
    """Create the tables in the database that is migrated, if the outbox is there."""
    create_tables(config_of_settings().outbox, schema_editor.connection.alias)


class Migration(_django.Migration):  # type: ignore[misc]  # Django has no types
    """The outbox creates and changes its own tables, so that all frameworks use the same ones."""

    atomic = False
    initial = True
    operations = (_django.RunPython(create, _django.RunPython.noop),)
