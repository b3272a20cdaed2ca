"""The Django app, for ``"tiktok_middleware.contrib.django"`` in ``INSTALLED_APPS``."""

from __future__ import annotations

from typing import Any

from django.apps import AppConfig
from django.db.models.signals import post_migrate

from tiktok_middleware.contrib._django_settings import config_of_settings
from tiktok_middleware.contrib._django_tables import create_tables

__all__ = ["TikTokConfig"]


class TikTokConfig(AppConfig):
    """Creates the outbox's tables with ``manage.py migrate`` if ``TIKTOK_OUTBOX`` is ``django:ALIAS``."""

    name = "tiktok_middleware.contrib.django"
    label = "tiktok_middleware"
    verbose_name = "TikTok"

    def ready(self) -> None:
        """Create tables that a later release adds, too, or those of an outbox that is moved to this database."""
        post_migrate.connect(_migrated, sender=self)


def _migrated(using: str = "", **_: Any) -> None:
    create_tables(config_of_settings().outbox, using)
