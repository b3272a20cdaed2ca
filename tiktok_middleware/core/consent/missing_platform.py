"""Detect that no visitor has the configured platform's cookie, as with a wrong name or a record stored elsewhere."""

from __future__ import annotations

from tiktok_middleware.core.consent.bridge_settings import bridges
from tiktok_middleware.core.consent.platforms import READERS, cookie_names, signal_names

__all__ = ["PAGES", "VISITORS", "Silence", "silence_of"]

#: Numbers of pages and of visitors without the cookie that cause the warning.
PAGES, VISITORS = 500, 50


class Silence:
    """Counter of pages and visitors, until the platform's cookie is seen for the first time.

    Args:
        setting: the value of ``TIKTOK_CONSENT``.
        names: names of the cookies that it reads; a name that ends in a hyphen is a prefix.

    Attributes:
        names: the same.
        is_over: whether counting has ended.
    """

    __slots__ = ("_pages", "_setting", "_visitors", "is_over", "names")

    def __init__(self, setting: str, names: tuple[str, ...]) -> None:
        self._setting = setting
        self.names: tuple[str, ...] = names
        self._pages = 0
        self._visitors: set[int] = set()
        self.is_over: bool = False

    def saw_page(self, cookie_header: str, visitor: tuple[str, str]) -> bool:
        """Count a page. Return True once, when the cookie has been missing for too long.

        Args:
            cookie_header: the raw ``Cookie`` header.
            visitor: IP address and user agent; only their hash is kept.
        """
        if any(name in cookie_header for name in self.names):
            self.is_over = True
            return False
        self._pages += 1
        if len(self._visitors) < VISITORS:
            self._visitors.add(hash(visitor))
        self.is_over = self._pages >= PAGES and len(self._visitors) >= VISITORS
        return self.is_over

    @property
    def message(self) -> str:
        """The warning to log."""
        listed = " or ".join(f"{name}..." if name.endswith("-") else name for name in self.names[:3])
        return (
            f"TIKTOK_CONSENT={self._setting} reads the cookie {listed}, which no visitor of {PAGES} pages has had, so"
            f" that nothing is sent. Usual reasons: {self.reasons}. (logged once)"
        )

    @property
    def reasons(self) -> str:
        """Usual reasons for a missing cookie."""
        kind = self._setting.partition(":")[0]
        renamed = f" (write {kind}:...@NAME)" if kind in READERS and READERS[kind].has_cookie_name else ""
        named = {"klaro": "bridge:klaro:SERVICE", "cc_cookie": "bridge:cc_cookie:CATEGORY"}.get(kind, "bridge:NAME")
        return (
            f"the site has renamed the cookie{renamed}; the platform keeps the choice in localStorage or in its page"
            f" script alone (write {named}); the cookie is for another host or path; the banner is not on these pages"
        )


def silence_of(setting: str) -> Silence | None:
    """Return a counter for a value of ``TIKTOK_CONSENT``; None if it reads no named cookie, or uses a bridge."""
    if bridges(setting):
        return None
    names = tuple(name for name in cookie_names(setting) or () if name not in signal_names())
    return Silence(setting, names) if names else None
