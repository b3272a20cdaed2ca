"""Detect that pages with the script leave but no helper is requested: a proxy does not forward the endpoint."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tiktok_middleware.core.http.request import RequestView

__all__ = ["PAGES", "VISITORS", "HelperWatch"]

#: Numbers of pages and visitors before the warning.
PAGES, VISITORS = 200, 20

_ALL_OF = 1000  # pages that are all counted; of those after them, one in `_EVERY`, to save time
_EVERY = 16


class HelperWatch:
    """Count pages until the helper is requested, in this process or another.

    Args:
        mark: file that tells the processes of one outbox that the helper was requested; None without a shared folder.
        bot_pattern: the pattern by which a request is a bot's; crawlers load no helper.
        warn: logs the warning, once.
        over: called when watching ends.
    """

    def __init__(
        self,
        mark: Path | None,
        bot_pattern: Callable[[RequestView], str],
        warn: Callable[[], None],
        over: Callable[[], None],
    ) -> None:
        self._mark = mark
        self._bot_pattern = bot_pattern
        self._warn = warn
        self._over = over
        self._seen = 0
        self._pages = 0
        self._visitors: set[int] = set()
        self._is_asked = False

    def page(self, read: Callable[[], RequestView]) -> None:
        """Count a page with the script that a browser has requested.

        Args:
            read: returns the request.
        """
        self._seen += 1
        if self._seen > _ALL_OF and self._seen % _EVERY:
            return
        request = read()
        if request.header("sec-fetch-dest") != "document":
            return
        visitor = hash((request.client, request.header("user-agent")))
        if visitor not in self._visitors:
            if self._bot_pattern(request):
                return
            if len(self._visitors) < VISITORS:
                self._visitors.add(visitor)
        self._pages += 1
        if self._pages >= PAGES and len(self._visitors) >= VISITORS:
            self._over()
            if not self._is_asked and not (self._mark is not None and self._mark.exists()):
                self._warn()

    def asked(self) -> None:
        """Note a request for the helper or for the address of reports."""
        if self._is_asked:
            return
        self._is_asked = True
        self._over()
        if self._mark is not None:
            with contextlib.suppress(OSError):
                self._mark.touch()
