"""Find the stored events of a person by what TikTok is told of them. Pure."""

from __future__ import annotations

from collections.abc import Collection, Mapping

import msgspec

__all__ = ["Person"]

_KEYS = ("email", "phone", "external_id", "ttp", "ip")


class Person(msgspec.Struct, frozen=True):
    """Values of TikTok's ``user`` object; an event that holds one of them is the person's.

    Attributes:
        email, phone, external_id: SHA-256 hashes.
        ttp: ids of the ``_ttp`` cookie.
        ip: addresses.
    """

    email: tuple[str, ...] = ()
    phone: tuple[str, ...] = ()
    external_id: tuple[str, ...] = ()
    ttp: tuple[str, ...] = ()
    ip: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return any(getattr(self, key) for key in _KEYS)

    def __repr__(self) -> str:
        return f"Person({', '.join(f'{key}=...' for key in _KEYS if getattr(self, key))})"

    @property
    def values(self) -> list[str]:
        """All values."""
        return [value for key in _KEYS for value in getattr(self, key)]

    def has(self, user: Mapping[str, object]) -> bool:
        """Whether a ``user`` object is this person's."""
        return any(not set(getattr(self, key)).isdisjoint(_several(user.get(key))) for key in _KEYS)

    def is_in(self, body: bytes) -> bool:
        """Whether a stored body may be this person's: it holds one of the values."""
        return any(value.encode() in body for value in self.values)


def _several(value: object) -> Collection[str]:
    if isinstance(value, str):
        return (value,)
    return [one for one in value if isinstance(one, str)] if isinstance(value, (list, tuple)) else ()
