"""Detect that no visitor has the platform's cookie, or an answer in it, as with a wrong name in the setting."""

from __future__ import annotations

from tiktok_middleware.core.consent.bridge_settings import bridges
from tiktok_middleware.core.consent.platforms import READERS, cookie_names, signal_names
from tiktok_middleware.core.consent.platforms._decoding import pairs_of

__all__ = ["PAGES", "VISITORS", "Silence", "silence_of"]

#: Numbers of pages and of visitors that cause a warning.
PAGES, VISITORS = 500, 50


class Silence:
    """Counter of pages without the platform's answer, until a visitor's cookie has one.

    Until the cookie is seen for the first time, pages without it are counted; from then on, pages with a cookie that
    holds no answer to the setting.

    Args:
        setting: the value of ``TIKTOK_CONSENT``.
        names: names of the cookies that it reads; a name that ends in a hyphen is a prefix.

    Attributes:
        names: the same.
        is_over: whether counting has ended.
    """

    __slots__ = ("_has_cookie", "_pages", "_setting", "_visitors", "is_over", "names")

    def __init__(self, setting: str, names: tuple[str, ...]) -> None:
        self._setting = setting
        self.names: tuple[str, ...] = names
        self._has_cookie = False
        self._pages = 0
        self._visitors: set[int] = set()
        self.is_over: bool = False

    def saw_answer(self, cookie_header: str) -> None:
        """End the counting if the cookie of this visitor, whose consent is known, has the platform's answer."""
        self.is_over = self.is_over or self._holds(cookie_header)

    def saw_page(self, cookie_header: str, visitor: tuple[str, str]) -> bool:
        """Count a page of an undecided visitor. Return True once, when the answer has been missing for too long.

        Args:
            cookie_header: the raw ``Cookie`` header.
            visitor: IP address and user agent; only their hash is kept.
        """
        is_present = self._holds(cookie_header)
        if self._has_cookie and not is_present:
            return False
        if is_present and not self._has_cookie:
            self._has_cookie = True
            self._pages, self._visitors = 0, set()
        self._pages += 1
        if len(self._visitors) < VISITORS:
            self._visitors.add(hash(visitor))
        self.is_over = self._pages >= PAGES and len(self._visitors) >= VISITORS
        return self.is_over

    def _holds(self, cookie_header: str) -> bool:
        """Return whether the header has one of the cookies; a longer name is another cookie."""
        if not any(name in cookie_header for name in self.names):
            return False
        found = {name for name, _ in pairs_of(cookie_header, "")}
        return any(
            name in found or (name.endswith("-") and any(one.startswith(name) for one in found)) for name in self.names
        )

    @property
    def message(self) -> str:
        """The warning to log."""
        listed = " or ".join(f"{name}..." if name.endswith("-") else name for name in self.names[:3])
        if self._has_cookie:
            return (
                f"TIKTOK_CONSENT={self._setting} has found no answer in the cookie {listed} on {PAGES} pages, so that"
                f" nothing is sent. Usual reasons: {self._unread_reasons}. (logged once)"
            )
        return (
            f"TIKTOK_CONSENT={self._setting} reads the cookie {listed}, which no visitor of {PAGES} pages has had, so"
            f" that nothing is sent. Usual reasons: {self.reasons}. (logged once)"
        )

    @property
    def _unread_reasons(self) -> str:
        """Usual reasons for a cookie without an answer."""
        platform = READERS.get(self._setting.partition(":")[0])
        named = (
            f"the setting names something that the site calls otherwise ({platform.where}); "
            if (platform is not None and platform.where)
            else ""
        )
        return f"{named}another product uses this cookie's name; the cookie has a newer form; no visitor has chosen yet"

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
