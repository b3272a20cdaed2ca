"""Reject a cookie of django-cookie-consent or wagtail-cookies-consent that is older than its group's version."""

from __future__ import annotations

import importlib
import logging
import threading
import time

from tiktok_middleware._printable import own_logger
from tiktok_middleware.core.consent.platforms.django_cookie_consent import accepted_versions
from tiktok_middleware.core.http.request import RequestView

__all__ = ["PACKAGES", "GroupVersion"]

#: Django apps with cookie groups. Both have a function ``get_cookie_group`` in their module ``cache``.
PACKAGES = ("cookie_consent", "wagtail_cookies_consent")

log: logging.Logger = own_logger("tiktok_middleware")

#: How long a version that was read is used, and how long its reading may take; both in seconds.
_FRESH_S, _PATIENCE_S = 5.0, 30.0


class GroupVersion:
    """Current version of a cookie group. A thread reads it from the site's database, so that requests never wait.

    Args:
        group: variable name of the group.
        cookie: name of the cookie.
        package: one of :data:`PACKAGES`.
    """

    def __init__(self, group: str, cookie: str, package: str = PACKAGES[0]) -> None:
        self._group = group
        self._cookie = cookie
        self._package = package
        self._version: str | None = None
        self._read_s = self._started_s = float("-inf")
        self._has_failed = False

    def covers(self, request: RequestView) -> bool:
        """Return whether the visitor has accepted the current version; False until the version has been read."""
        now_s = time.monotonic()
        if now_s - self._read_s > _FRESH_S and now_s - self._started_s > _PATIENCE_S:
            self._started_s = now_s
            threading.Thread(target=self._read, name="tiktok-cookie-groups", daemon=True).start()
        version = self._version
        if version is None:
            return False
        return all(
            accepted >= version for accepted in accepted_versions(request.cookie_header, self._cookie, self._group)
        )

    def _read(self) -> None:
        try:
            # Models can be imported only once Django has set up its apps.
            from django.db import connections  # noqa: PLC0415

            cache = importlib.import_module(f"{self._package}.cache")
            try:
                group = cache.get_cookie_group(self._group)
                self._version = group.get_version() if group is not None else None
            finally:
                connections.close_all()
            self._read_s = time.monotonic()
            self._started_s = float("-inf")
        except Exception as error:  # noqa: BLE001  # a request must not fail, whatever the database raises
            if not self._has_failed:
                self._has_failed = True
                log.warning(
                    "The version of the cookie group %s cannot be read from %s (%s): visitors count as undecided until"
                    " it can. (logged once)",
                    self._group,
                    self._package,
                    type(error).__name__,
                )
