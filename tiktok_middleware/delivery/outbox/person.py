"""Find a person's stored events by the identity values in them. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

import msgspec

__all__ = ["Person"]

_KEYS = ("email", "phone", "external_id", "ttp", "ip")
_NAMING_KEYS = _KEYS[:-1]


class Person(msgspec.Struct, frozen=True):
    """Values of TikTok's ``user`` object. An event belongs to the person if it contains one of them.

    Attributes:
        email, phone, external_id: SHA-256 hashes.
        ttp: values of the ``_ttp`` cookie.
        ip: IP addresses.
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
        """Return all values."""
        return [value for key in _KEYS for value in getattr(self, key)]

    @classmethod
    def named_in(cls, users: Iterable[Mapping[str, object]]) -> Person:
        """Return the persons named in ``user`` objects. IP addresses are left out, because several people share one."""
        found: dict[str, set[str]] = {key: set() for key in _NAMING_KEYS}
        for user in users:
            for key, values in found.items():
                values.update(_several(user.get(key)))
        return cls(**{key: tuple(sorted(values)) for key, values in found.items()})

    def has(self, user: Mapping[str, object]) -> bool:
        """Return whether a ``user`` object belongs to this person."""
        return any(not set(getattr(self, key)).isdisjoint(_several(user.get(key))) for key in _KEYS)

    def is_in(self, body: bytes) -> bool:
        """Return whether a stored body contains one of the values, so that it may belong to this person."""
        return any(value.encode() in body for value in self.values)


def _several(value: object) -> Collection[str]:
    if isinstance(value, str):
        return (value,)
    return [one for one in value if isinstance(one, str)] if isinstance(value, (list, tuple)) else ()
