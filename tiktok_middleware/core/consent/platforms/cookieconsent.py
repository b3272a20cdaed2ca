"""Cookie Consent by Osano, versions 2 and 3, in opt-in mode: the cookie ``cookieconsent_status``."""

from __future__ import annotations

from tiktok_middleware.core.consent.platforms._decoding import State, decoded, read_copies, yes_or_no
from tiktok_middleware.core.consent.platforms._platform import Platform, Setting

__all__ = ["PLATFORM"]


def _read(header: str, setting: Setting) -> State:
    """Return the state for ``allow`` or ``deny``. ``dismiss`` only closes the banner, so it is unknown."""
    name = setting.cookie or "cookieconsent_status"
    return read_copies(header, name, lambda value: yes_or_no(decoded(value), yes="allow", no="deny"))


PLATFORM = Platform("cookieconsent", "", ("cookieconsent_status",), _read, has_cookie_name=True)
