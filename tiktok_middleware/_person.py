"""Read whose stored events an operator names: for the commands, and for the admin page of a framework."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from tiktok_middleware.core.visitor.user_data import read_identity
from tiktok_middleware.delivery.outbox.person import Person

__all__ = ["NAMES", "read_person"]

NAMES = ("email", "phone", "external_id", "ttp", "ip")
"""What a person can be named by."""


def read_person(named: Mapping[str, Sequence[str]], phone_region: str) -> Person | None:
    """Return the person that e-mail addresses, phone numbers and ids name; None if none is given.

    Args:
        named: values by their name, one of `NAMES`.
        phone_region: region of phone numbers without a country code; empty for none.

    Raises:
        EventError: a value cannot be read.
    """
    if not any(named.get(name) for name in NAMES):
        return None
    hashed = {name: list(named[name]) for name in NAMES[:3] if named.get(name)}
    identity, errors = read_identity(hashed, phone_region=phone_region or None)
    if errors:
        raise errors[0]
    return Person(
        **{name: getattr(identity, name) for name in NAMES[:3]},
        ttp=tuple(named.get("ttp", ())),
        ip=tuple(named.get("ip", ())),
    )
