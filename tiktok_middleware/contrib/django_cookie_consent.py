"""django-cookie-consent on the same site: reject a consent cookie that is older than the group's current version."""

from __future__ import annotations

import logging
import threading
import time

from tiktok_middleware._printable import own_logger
from tiktok_middleware.core.consent.platforms.django_cookie_consent import accepted_versions
from tiktok_middleware.core.http.request import RequestView

__all__ = ["GroupVersion"]

log: logging.Logger = own_logger("tiktok_middleware")

#: How long a version that was read is used, and how long its reading may take; both in seconds.
_FRESH_S, _PATIENCE_S = 5.0, 30.0


class GroupVersion:
    """Current version of a cookie group. A thread reads it from the site's database, so that requests never wait.

    Args:
        group: variable name of the group.
        cookie: name of the cookie.
    """

    def __init__(self, group: str, cookie: str) -> None:
        self._group = group
        self._cookie = cookie
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
            from cookie_consent.cache import get_cookie_group  # noqa: PLC0415
            from django.db import connections  # noqa: PLC0415

            try:
                group = get_cookie_group(self._group)
                self._version = group.get_version() if group is not None else None
            finally:
                connections.close_all()
            self._read_s = time.monotonic()
            self._started_s = float("-inf")
        except Exception as error:  # noqa: BLE001  # a request must not fail, whatever the database raises
            if not self._has_failed:
                self._has_failed = True
                log.warning(
                    "The version of django-cookie-consent's group %s cannot be read (%s): visitors count as undecided"
                    " until it can. (logged once)",
                    self._group,
                    type(error).__name__,
                )
