"""A new signing key loses nothing that is on its way: what the old one signed is read until the old one is taken away."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import pytest

from tests.core.core_world import NOW, runtime_of, scope_request, tracker_of
from tiktok_middleware.core.pixel.redirect_cookie import (
    CARRY,
    SEALED,
    RedirectToken,
    read_carry,
    read_sealed,
    write_carry,
    write_sealed,
)
from tiktok_middleware.core.pixel.signed_event import SignedEvent, open_signed_event, write_signed_event
from tiktok_middleware.core.runtime import Runtime
from tiktok_middleware.core.visitor.snapshot import read_snapshot
from tiktok_middleware.errors import TokenError

COPY = ("Lead", {"value": 5}, "0199c82cc00000010203040506070809")
ENVELOPE = SignedEvent("Lead", {"value": 5}, "/", int(NOW) + 60, COPY[2], int(NOW))


class Token(NamedTuple):
    """One kind of what we sign.

    Attributes:
        write: makes one.
        read: whether it still says what it said.
    """

    write: Callable[[Runtime], str]
    read: Callable[[Runtime, str], bool]


def _cookie(name: str, token: str) -> Any:
    return scope_request("/", {"cookie": f"{name}={token}"})


def _copies(runtime: Runtime, token: str) -> Any:
    found = read_carry(_cookie(CARRY, token), runtime.signer)
    if found.faults:
        raise TokenError(found.faults[0])
    return found.copies


TOKENS = {
    "carried copies": Token(
        lambda runtime: write_carry([COPY], runtime.signer),
        lambda runtime, token: _copies(runtime, token) == [COPY],
    ),
    "carried envelopes": Token(
        lambda runtime: write_sealed(RedirectToken([ENVELOPE]), runtime.signer, runtime.pixels),
        lambda runtime, token: (
            read_sealed(_cookie(SEALED, token), runtime.signer, runtime.pixels, NOW).signed_events == [ENVELOPE]
        ),
    ),
    "envelope": Token(
        lambda runtime: write_signed_event(ENVELOPE, runtime.signer, runtime.pixels),
        lambda runtime, token: open_signed_event(token, runtime.signer, runtime.pixels, NOW) == ENVELOPE,
    ),
    "snapshot": Token(
        lambda runtime: tracker_of(runtime, "/?ttclid=E.C.P.x", {"user-agent": "Mozilla/5.0"}).snapshot(),
        lambda runtime, token: read_snapshot(token, runtime.signer).ttclid == "E.C.P.x",
    ),
}


@pytest.mark.parametrize("kind", TOKENS)
def test_a_rotation_loses_nothing_on_its_way(kind: str) -> None:
    token = TOKENS[kind]
    old, both, new = (runtime_of(keys=keys) for keys in (("old",), ("new", "old"), ("new",)))
    assert token.read(both, token.write(old))
    assert token.read(new, token.write(both)), "the newest key signs"
    with pytest.raises(TokenError, match="forged"):
        token.read(new, token.write(old))


@pytest.mark.parametrize("kind", TOKENS)
def test_no_kind_stands_for_another(kind: str) -> None:
    runtime = runtime_of()
    for other in TOKENS.keys() - {kind}:
        with pytest.raises(TokenError, match="forged"):
            TOKENS[other].read(runtime, TOKENS[kind].write(runtime))
