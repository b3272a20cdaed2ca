"""Record the model of the admin page, which has no table, so that Django creates its permissions."""

from __future__ import annotations

from typing import Any

from django.db import migrations, models

_django: Any = migrations


class Migration(_django.Migration):  # type: ignore[misc]  # Django has no types
    """The model has permissions only."""

    dependencies = (("tiktok_middleware", "0001_outbox"),)
    operations = (
        _django.CreateModel(
            name="OutboxEvent",
            fields=[("id", models.BigAutoField(primary_key=True, serialize=False))],
            options={
                "managed": False,
                "base_manager_name": "objects",
                "default_permissions": ("view",),
                "permissions": (
                    ("retry_outboxevent", "Can send events again"),
                    ("forget_outboxevent", "Can let events count again"),
                    ("purge_outboxevent", "Can remove events"),
                    ("erase_outboxevent", "Can erase persons"),
                ),
                "verbose_name": "event",
                "verbose_name_plural": "outbox",
            },
        ),
    )
