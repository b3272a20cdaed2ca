"""Turn a visitor's e-mail address, phone number and other identity into hashes.

City, state and country are normalised but not hashed, because TikTok accepts them only in clear.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from difflib import get_close_matches
from itertools import islice

import msgspec

from tiktok_middleware.core.visitor import hashing as normalise
from tiktok_middleware.core.visitor.hashing import UnusableValue
from tiktok_middleware.errors import EventError

__all__ = ["Identity", "read_identity"]

_MANY = ("email", "phone", "external_id")
_MAX_VALUES = 10

_MISNOMERS: dict[str, str] = {
    **dict.fromkeys(("phone_number", "mobile", "tel", "telephone", "sha256_phone_number"), "phone"),
    **dict.fromkeys(("mail", "e_mail", "email_address", "sha256_email"), "email"),
    **dict.fromkeys(("user_id", "customer_id", "id", "uid"), "external_id"),
    **dict.fromkeys(("name", "full_name"), "first_name and last_name"),
    **dict.fromkeys(("firstname", "given_name"), "first_name"),
    **dict.fromkeys(("lastname", "surname", "family_name"), "last_name"),
    **dict.fromkeys(("zip", "zipcode", "postcode", "postal_code", "plz"), "zip_code"),
    **dict.fromkeys(("region", "province"), "state"),
    **dict.fromkeys(
        ("ttclid", "click_id", "ttp", "_ttp", "ip", "user_agent", "locale"), "nothing: the middleware reads it itself"
    ),
}


class Identity(msgspec.Struct, frozen=True, gc=False, omit_defaults=True, rename=None):
    """Hashed identity of a visitor, ready for both channels.

    Attributes:
        email, phone, external_id: SHA-256 in lower-case hexadecimal, one for each given value.
        first_name, last_name, zip_code: the same, one each, or empty.
        city, state, country: normalised and in clear, or empty.
    """

    email: tuple[str, ...] = ()
    phone: tuple[str, ...] = ()
    external_id: tuple[str, ...] = ()
    first_name: str = ""
    last_name: str = ""
    city: str = ""
    state: str = ""
    country: str = ""
    zip_code: str = ""

    def __bool__(self) -> bool:
        return self != _NOBODY

    def __repr__(self) -> str:
        return f"Identity({', '.join(f'{name}=...' for name, value in self._fields() if value)})"

    def __rich_repr__(self) -> list[tuple[str, str]]:
        """Return the names only. msgspec's own method would show the hashes in rich's output."""
        return [(name, "...") for name, value in self._fields() if value]

    def _fields(self) -> Iterator[tuple[str, str | tuple[str, ...]]]:
        return ((name, getattr(self, name)) for name in self.__struct_fields__)

    def merged(self, other: Identity) -> Identity:
        """Return the fields of both; if both have a field, use that of the other, newer one.

        Values of one field are not combined, because another e-mail address may belong to another person. Two
        addresses of one person are given in one list.
        """
        if not self:
            return other
        return msgspec.structs.replace(self, **{name: value for name, value in other._fields() if value})

    def limited_to(self, keys: Collection[str]) -> Identity:
        """Return the identity reduced to these fields."""
        dropped = {name: () if name in _MANY else "" for name, value in self._fields() if value and name not in keys}
        return msgspec.structs.replace(self, **dropped) if dropped else self

    def user(self) -> dict[str, object]:
        """Return the Events API's ``user`` object: one value as str, several as list, empty fields omitted."""
        found: dict[str, object] = {}
        if not self:
            return found
        for name, value in self._fields():
            if value:
                found[name] = value if isinstance(value, str) else value[0] if len(value) == 1 else list(value)
        return found

    def pixel(self) -> dict[str, str]:
        """Return the argument of ``ttq.identify``: the first value of each field, under the pixel's names."""
        found = {}
        for name, value in self._fields():
            if value:
                found[_PIXEL_NAMES.get(name, name)] = value if isinstance(value, str) else value[0]
        return found


_NOBODY = Identity()
_PIXEL_NAMES = {"email": "sha256_email", "phone": "sha256_phone_number"}


def read_identity(fields: Mapping[str, object], *, phone_region: str | None) -> tuple[Identity, list[EventError]]:
    """Return the hashed identity in these fields, and an error for each invalid value.

    Empty values (None, ``""``, white space) are skipped. Errors hold the field and the reason, but neither the value
    nor a traceback whose frames would hold it. Never raises.

    Args:
        fields: ``email``, ``phone``, ``external_id`` (one or several), ``first_name``, ``last_name``, ``city``,
            ``state``, ``country``, ``zip_code``; SHA-256 hashes are accepted for fields that TikTok accepts hashed.
        phone_region: ISO country code for national phone numbers, such as ``DE``.
    """
    errors: list[EventError] = []
    known: dict[str, str | tuple[str, ...]] = {}
    for name, value in _pairs(fields, errors):
        if value is None:
            continue
        rule = _RULES.get(name) if isinstance(name, str) else None
        if rule is None:
            errors.append(_stranger(name))
        elif name in _MANY:
            if several := _several(name, value, rule, phone_region, errors):
                known[name] = several
        elif one := _one(f"identify.{name}", value, rule, phone_region, errors):
            known[name] = one
    return Identity(**known), errors  # type: ignore[arg-type]  # a tuple for the names in _MANY, a str for the others


def _pairs(fields: Mapping[str, object], errors: list[EventError]) -> list[tuple[str, object]]:
    """Return at most 50 of the fields."""
    try:
        return [(name, value) for name, value in islice(fields.items(), 50)]
    except Exception:  # noqa: BLE001 -- the app's mapping may raise anything
        errors.append(EventError("identify", "a mapping that raised when it was read", "a dict"))
        return []


def _several(
    name: str, value: object, rule: _Rule, phone_region: str | None, errors: list[EventError]
) -> tuple[str, ...]:
    """Return the hashes of one or several values, without duplicates."""
    if not issubclass(type(value), (list, tuple, set, frozenset)):  # isinstance() would read the object's own __class__
        one = _one(f"identify.{name}", value, rule, phone_region, errors)
        return (one,) if one else ()
    several: Collection[object] = value  # type: ignore[assignment]  # checked above
    if len(several) > _MAX_VALUES:
        errors.append(EventError(f"identify.{name}", f"{len(several)} values", f"{_MAX_VALUES}; the rest is left out"))
    found: dict[str, None] = {}
    for index, item in enumerate(islice(several, _MAX_VALUES)):
        one = _one(f"identify.{name}[{index}]", item, rule, phone_region, errors)
        if one:
            found[one] = None
    return tuple(found)


def _one(field: str, value: object, rule: _Rule, phone_region: str | None, errors: list[EventError]) -> str:
    """Return the value to send; for an invalid value record an error and return an empty str."""
    try:
        found = rule(value, phone_region)
    except Exception:  # noqa: BLE001 -- the app's object may raise anything when it is read
        found = UnusableValue("a value that raised when it was read", "a str")
    if isinstance(found, UnusableValue):
        errors.append(EventError(field, found.found, found.allowed))
        return ""
    return found


def _stranger(name: object) -> EventError:
    """Return the error for an unknown field, with the field that was probably meant."""
    if not isinstance(name, str) or not name.isidentifier() or len(name) > 50:
        return EventError("identify", "given a key that is no name", ", ".join(_RULES))
    folded = name.lower()
    near = get_close_matches(folded, _RULES, n=1, cutoff=0.7)
    meant = _MISNOMERS.get(folded) or (near[0] if near else ", ".join(_RULES))
    return EventError(f"identify.{name}", "no field of identify()", meant)


_Rule = Callable[[object, "str | None"], "str | UnusableValue"]

_RULES: dict[str, _Rule] = {
    "email": normalise.email,
    "phone": normalise.phone,
    "external_id": normalise.external_id,
    "first_name": normalise.person_name,
    "last_name": normalise.person_name,
    "city": normalise.place,
    "state": normalise.place,
    "country": normalise.country,
    "zip_code": normalise.zip_code,
}
