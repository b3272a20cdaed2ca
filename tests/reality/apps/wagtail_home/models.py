"""One page type, whose view is tracked."""

from __future__ import annotations

from typing import Any

from django.db import models
from wagtail.models import Page


class HomePage(Page):  # type: ignore[misc]
    text = models.TextField()
    template = "home.html"

    def serve(self, request: Any, *args: Any, **kwargs: Any) -> Any:
        if hasattr(request, "tiktok"):
            request.tiktok.track("ViewContent", content_id=self.slug, currency="EUR", value=1)
        return super().serve(request, *args, **kwargs)
