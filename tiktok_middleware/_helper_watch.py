"""Notice that pages with our script go out and nobody asks for the helper: a proxy does not forward our path prefix."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tiktok_middleware.core.http.request import RequestView

__all__ = ["PAGES", "VISITORS", "HelperWatch"]

#: How many pages, to how many visitors, before it is said.
PAGES, VISITORS = 200, 20


class HelperWatch:
    """Counts pages until the helper is asked for, in this process or another.

    Args:
        mark: a file by which the processes of one outbox tell each other that the helper was asked for; None where they
            share no folder.
        is_bot: whether a user agent is no person's; crawlers load no helper.
        warn: says it, once.
        over: called when there is nothing more to watch.
    """

    def __init__(
        self, mark: Path | None, is_bot: Callable[[str], bool], warn: Callable[[], None], over: Callable[[], None]
    ) -> None:
        self._mark = mark
        self._is_bot = is_bot
        self._warn = warn
        self._over = over
        self._pages = 0
        self._visitors: set[int] = set()
        self._is_asked = False

    def page(self, request: RequestView) -> None:
        """Count a page with our script that a browser has asked for."""
        agent = request.header("user-agent")
        if request.header("sec-fetch-dest") != "document" or self._is_bot(agent):
            return
        self._pages += 1
        if len(self._visitors) < VISITORS:
            self._visitors.add(hash((request.client, agent)))
        if self._pages >= PAGES and len(self._visitors) >= VISITORS:
            self._over()
            if not self._is_asked and not (self._mark is not None and self._mark.exists()):
                self._warn()

    def asked(self) -> None:
        """The helper, or the address that pages report to, was asked for."""
        if self._is_asked:
            return
        self._is_asked = True
        self._over()
        if self._mark is not None:
            with contextlib.suppress(OSError):
                self._mark.touch()
