"""A new signing key loses nothing that is on its way: what the old one signed is read until the old one is taken away."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import pytest

from tests.core.core_world import NOW, scope_facts, setup_of, tracker_of
from tiktok_middleware.core.carry import CARRY, SEALED, Sealed, read_carry, read_sealed, write_carry, write_sealed
from tiktok_middleware.core.envelope import Envelope, open_envelope, write_envelope
from tiktok_middleware.core.setup import Setup
from tiktok_middleware.core.snapshot import read_snapshot
from tiktok_middleware.errors import TokenError

COPY = ("Lead", {"value": 5}, "0199c82cc00000010203040506070809")
ENVELOPE = Envelope("Lead", {"value": 5}, "/", int(NOW) + 60, COPY[2], int(NOW))


class Token(NamedTuple):
    """One kind of what we sign.

    Attributes:
        write: makes one.
        read: whether it still says what it said.
    """

    write: Callable[[Setup], str]
    read: Callable[[Setup, str], bool]


def _cookie(name: str, token: str) -> Any:
    return scope_facts("/", {"cookie": f"{name}={token}"})


def _copies(setup: Setup, token: str) -> Any:
    found = read_carry(_cookie(CARRY, token), setup.signer)
    if found.faults:
        raise TokenError(found.faults[0])
    return found.copies


TOKENS = {
    "carried copies": Token(
        lambda setup: write_carry([COPY], setup.signer),
        lambda setup, token: _copies(setup, token) == [COPY],
    ),
    "carried envelopes": Token(
        lambda setup: write_sealed(Sealed([ENVELOPE]), setup.signer, setup.pixels),
        lambda setup, token: (
            read_sealed(_cookie(SEALED, token), setup.signer, setup.pixels, NOW).envelopes == [ENVELOPE]
        ),
    ),
    "envelope": Token(
        lambda setup: write_envelope(ENVELOPE, setup.signer, setup.pixels),
        lambda setup, token: open_envelope(token, setup.signer, setup.pixels, NOW) == ENVELOPE,
    ),
    "snapshot": Token(
        lambda setup: tracker_of(setup, "/?ttclid=E.C.P.x", {"user-agent": "Mozilla/5.0"}).snapshot(),
        lambda setup, token: read_snapshot(token, setup.signer).ttclid == "E.C.P.x",
    ),
}


@pytest.mark.parametrize("kind", TOKENS)
def test_a_rotation_loses_nothing_on_its_way(kind: str) -> None:
    token = TOKENS[kind]
    old, both, new = (setup_of(keys=keys) for keys in (("old",), ("new", "old"), ("new",)))
    assert token.read(both, token.write(old))
    assert token.read(new, token.write(both)), "the newest key signs"
    with pytest.raises(TokenError, match="forged"):
        token.read(new, token.write(old))


@pytest.mark.parametrize("kind", TOKENS)
def test_no_kind_stands_for_another(kind: str) -> None:
    setup = setup_of()
    for other in TOKENS.keys() - {kind}:
        with pytest.raises(TokenError, match="forged"):
            TOKENS[other].read(setup, TOKENS[kind].write(setup))
