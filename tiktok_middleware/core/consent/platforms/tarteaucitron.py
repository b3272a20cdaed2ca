"""tarteaucitron: the cookie ``tarteaucitron``, a list ``!key=true!other=wait``; ``wait`` means no choice yet."""

from __future__ import annotations

from tiktok_middleware.core.consent.platforms._decoding import State, decoded, key_values, read_copies, yes_or_no
from tiktok_middleware.core.consent.platforms._platform import Platform, Setting

__all__ = ["PLATFORM"]


def _read(header: str, setting: Setting) -> State:
    key = setting.part("tiktok")
    return read_copies(header, setting.cookie or "tarteaucitron", lambda value: _answer(decoded(value), key))


def _answer(text: str, key: str) -> State:
    start, *parts = text.split("!")
    if start:
        raise ValueError("does not begin with a mark")
    return yes_or_no(key_values(parts, "=").get(key), yes="true", no="false")


PLATFORM = Platform(
    "tarteaucitron[:key]",
    "key is what the page pushes to tarteaucitron.job for the pixel (without it tiktok)",
    ("tarteaucitron",),
    _read,
    most=1,
    has_cookie_name=True,
)
