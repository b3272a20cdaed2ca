"""The model that Django's admin lists the outbox under. It has no table: the outbox keeps its own."""

from __future__ import annotations

from typing import Any

from django.db import models

__all__ = ["OutboxEvent"]

_django: Any = models


class _NoRows(_django.Manager):  # type: ignore[misc]  # Django has no types
    """Manager of a model without a table: ``dumpdata`` and the like find nothing."""

    def get_queryset(self) -> Any:
        return super().get_queryset().none()


class OutboxEvent(_django.Model):  # type: ignore[misc]  # as above
    """An event of the outbox, as the admin page shows it. The model carries the permissions of that page."""

    id = _django.BigAutoField(primary_key=True)

    objects = _NoRows()

    class Meta:
        """Events cannot be added or changed in the admin. Each action on them has a permission of its own."""

        managed = False
        base_manager_name = "objects"
        default_permissions = ("view",)
        permissions = (
            ("retry_outboxevent", "Can send events again"),
            ("forget_outboxevent", "Can let events count again"),
            ("purge_outboxevent", "Can remove events"),
            ("erase_outboxevent", "Can erase persons"),
        )
        verbose_name = "event"
        verbose_name_plural = "outbox"
