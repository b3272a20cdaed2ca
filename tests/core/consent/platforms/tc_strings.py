"""Makes TC and GPP strings bit by bit, for the tests; written against the specifications, not against the readers."""

from __future__ import annotations

from collections.abc import Iterable

ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"

#: 3 February 2026 and 1 March 2026, in deciseconds.
FEBRUARY, MARCH = 17_701_128_000, 17_723_232_000


def number(value: int, width: int) -> str:
    assert value < 1 << width
    return f"{value:0{width}b}"


def flags(members: Iterable[int], width: int) -> str:
    chosen = set(members)
    return "".join("1" if place in chosen else "0" for place in range(1, width + 1))


def packed(bits: str) -> str:
    bits += "0" * (-len(bits) % 6)
    return "".join(ALPHABET[int(bits[at : at + 6], 2)] for at in range(0, len(bits), 6))


def ranges(spans: Iterable[tuple[int, int]]) -> str:
    spans = list(spans)
    entries = "".join(
        "0" + number(low, 16) if low == high else "1" + number(low, 16) + number(high, 16) for low, high in spans
    )
    return number(len(spans), 12) + entries


def vendor_field(members: Iterable[int], top: int) -> str:
    return number(top, 16) + "0" + flags(members, top)


def vendor_ranges(spans: Iterable[tuple[int, int]], top: int) -> str:
    return number(top, 16) + "1" + ranges(spans)


NO_VENDORS = vendor_field((), 0)


def core_bits(
    purposes: Iterable[int] = (1, 3, 4, 7),
    *,
    interest: Iterable[int] = (),
    version: int = 2,
    created: int = FEBRUARY,
    policy: int = 5,
    own_site: int = 1,
    one_treatment: int = 0,
    vendors: str = NO_VENDORS,
    vendors_interest: str = NO_VENDORS,
    restrictions: Iterable[tuple[int, int, list[tuple[int, int]]]] = (),
) -> str:
    restrictions = list(restrictions)
    return (
        number(version, 6)
        + number(created, 36) * 2
        + number(300, 12)
        + number(1, 12)
        + number(1, 6)
        + number(4, 6)
        + number(13, 6)
        + number(143, 12)
        + number(policy, 6)
        + number(own_site, 1)
        + "0"
        + number(0, 12)
        + flags(purposes, 24)
        + flags(interest, 24)
        + number(one_treatment, 1)
        + number(3, 6)
        + number(4, 6)
        + vendors
        + vendors_interest
        + number(len(restrictions), 12)
        + "".join(number(purpose, 6) + number(kind, 2) + ranges(spans) for purpose, kind, spans in restrictions)
    )


def disclosed(vendors: str = NO_VENDORS) -> str:
    return packed("001" + vendors)


def fibonacci(value: int) -> str:
    weights = [1, 2]
    while weights[-1] <= value:
        weights.append(weights[-1] + weights[-2])
    digits = ""
    for weight in reversed(weights[:-1]):
        digits = ("1" if weight <= value else "0") + digits
        value -= weight if weight <= value else 0
    return digits.rstrip("0") + "1"


def gpp_header(groups: Iterable[tuple[int, int]], *, kind: int = 3, version: int = 1) -> str:
    groups, last, bits = list(groups), 0, ""
    for low, high in groups:
        bits += "0" + fibonacci(low - last) if low == high else "1" + fibonacci(low - last) + fibonacci(high - low)
        last = high
    return packed(number(kind, 6) + number(version, 6) + number(len(groups), 12) + bits)
