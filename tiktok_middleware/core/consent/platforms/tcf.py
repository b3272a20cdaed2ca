"""IAB TCF 2: read the purposes, and optionally a vendor, from the TC string of any platform.

Offsets: IAB Tech Lab, "Transparency and Consent String with Global Vendor & CMP List Formats", core segment.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from tiktok_middleware.core.consent.platforms._decoding import (
    Bits,
    State,
    attempt,
    decoded,
    latest,
    most_careful,
    pairs_of,
)
from tiktok_middleware.core.consent.platforms._platform import Platform, Setting

__all__ = ["DEFAULT_ASKED", "PLATFORM", "Asked", "asked_of", "read_tc_string"]

_VERSION, _CREATED, _POLICY, _OWN_SITE, _PURPOSES, _ONE_TREATMENT, _VENDORS = 0, 6, 132, 138, 152, 200, 213
_OLDEST_POLICY = 4  # strings of older policies have been invalid since 30 September 2023
_DISCLOSED_SINCE = 17_723_232_000  # 1 March 2026, deciseconds: from then on TCF 2.3 requires the disclosed vendors
_MAX_RANGES = 2000
_DISCLOSED_SEGMENT, _CONSENT_REQUIRED = 1, 1
_UPDATED, _DAY_DS = 42, 864_000
_NAMES = ("euconsent-v2", "eupubconsent-v2")
_NUMBER = re.compile(r"[1-9][0-9]{0,4}")


class Asked(NamedTuple):
    """The purposes and the vendor that need the visitor's consent.

    Attributes:
        purposes: TCF purpose numbers, 1 to 24.
        vendor: id in the Global Vendor List; None if only the purposes count, because TikTok is not in the list.
    """

    purposes: tuple[int, ...] = (1, 3, 4, 7)
    vendor: int | None = None


#: Purposes: storage, advertising profile, personalised advertising, measurement of advertising.
DEFAULT_ASKED = Asked()


def _read(header: str, setting: Setting) -> State:
    """Return granted if the visitor consented to everything required. Legitimate interest never counts."""
    asked = asked_of(setting.parts)
    if "consent-v2" not in header:
        return State.UNKNOWN
    said = [value for name, value in pairs_of(header, "consent-v2") if name in _NAMES]
    return most_careful([attempt(lambda value: read_tc_string(decoded(value), asked), value) for value in said])


def asked_of(parts: tuple[str, ...]) -> Asked:
    """Return the purposes and the vendor that a site's setting requires.

    Raises:
        ValueError: a part is neither a purpose nor a vendor, or there are two vendors.
    """
    vendors = [part.partition("=")[2] for part in parts if part.startswith("vendor=")]
    purposes = [part for part in parts if not part.startswith("vendor=")]
    if len(vendors) > 1 or not all(map(_NUMBER.fullmatch, purposes + vendors)):
        raise ValueError("no purposes, or more than one vendor")
    asked = Asked(
        tuple(map(int, purposes)) or DEFAULT_ASKED.purposes, int(vendors[0]) if vendors else DEFAULT_ASKED.vendor
    )
    if max(asked.purposes) > 24 or (asked.vendor or 0) > 65_535:
        raise ValueError("no purpose of the framework, or no vendor of its list")
    return asked


def read_tc_string(text: str, asked: Asked) -> State:
    """Return granted if the string grants everything required; otherwise denied.

    Raises:
        ValueError: the string is cut, malformed, of another version, of an expired policy, or not of this site.
    """
    first, *others = text.split(".")
    core = Bits(first)
    if core.take(_VERSION, 6) != 2 or core.take(_POLICY, 6) < _OLDEST_POLICY or not core.take(_OWN_SITE, 1):
        raise ValueError("not a valid string of this site")
    is_vendor_allowed = _allows_vendor(core, asked)
    _check_disclosure(core, [Bits(other) for other in others])
    purposes = core.take(_PURPOSES, 24)
    if core.take(_ONE_TREATMENT, 1):
        purposes &= ~_mask(1)  # purpose 1 was never shown to the visitor
    is_granted = is_vendor_allowed and all(purposes & _mask(purpose) for purpose in asked.purposes)
    return State.GRANTED if is_granted else State.DENIED


def _mask(purpose: int) -> int:
    return 1 << (24 - purpose)


def _check_disclosure(core: Bits, segments: list[Bits]) -> None:
    """Check that the segment of disclosed vendors is complete, and present if it is required."""
    disclosed = [segment for segment in segments if segment.take(0, 3) == _DISCLOSED_SEGMENT]
    for segment in disclosed:
        _vendors(segment, 3, None)
    if not disclosed and core.take(_CREATED, 36) >= _DISCLOSED_SINCE:
        raise ValueError("disclosed vendors are missing")


def _allows_vendor(core: Bits, asked: Asked) -> bool:
    """Return whether the visitor and the publisher's restrictions allow the vendor; True if no vendor is required.

    Always parse to the end of the core, because no part of a cut string can be trusted.
    """
    is_allowed, offset = _vendors(core, _VENDORS, asked.vendor)
    _, offset = _vendors(core, offset, None)  # legitimate interest never counts
    count, offset = core.take(offset, 12), offset + 12
    for _ in range(count):
        purpose, kind = core.take(offset, 6), core.take(offset + 6, 2)
        is_meant, offset = _ranges(core, offset + 8, asked.vendor)
        if is_meant and asked.vendor and purpose in asked.purposes and kind != _CONSENT_REQUIRED:
            is_allowed = False
    return is_allowed


def _vendors(bits: Bits, offset: int, vendor: int | None) -> tuple[bool, int]:
    """Return whether a vendor section holds the vendor (True if it is None), and the offset after the section."""
    top, is_range, offset = bits.take(offset, 16), bits.take(offset + 16, 1), offset + 17
    if is_range:
        return _ranges(bits, offset, vendor)
    bits.need(offset + top)
    return vendor is None or (vendor <= top and bits.take(offset + vendor - 1, 1) == 1), offset + top


def _ranges(bits: Bits, offset: int, vendor: int | None) -> tuple[bool, int]:
    count, offset = bits.take(offset, 12), offset + 12
    if count > _MAX_RANGES:
        raise ValueError("too many ranges")
    if vendor is None:
        flags = bits.text  # a slice past the end is empty; `need` checks the length once
        for _ in range(count):
            offset += 33 if flags[offset : offset + 1] == "1" else 17
        bits.need(offset)
        return True, offset
    is_found = False
    for _ in range(count):
        is_group, low = bits.take(offset, 1), bits.take(offset + 1, 16)
        high = bits.take(offset + 17, 16) if is_group else low
        offset += 33 if is_group else 17
        is_found = is_found or low <= vendor <= high
    return is_found, offset


def _accepts(parts: tuple[str, ...]) -> bool:
    try:
        asked_of(parts)
    except ValueError:
        return False
    return True


def _changed_at_ms(header: str, _setting: Setting) -> int:
    """Return the time of the last update; 0 for strings that round it to a day."""
    return max(latest(header, name, _updated_ms) for name in _NAMES)


def _updated_ms(value: str) -> int:
    deciseconds = Bits(decoded(value).partition(".")[0]).take(_UPDATED, 36)
    return deciseconds * 100 if deciseconds % _DAY_DS else 0


PLATFORM = Platform(
    "tcf[:PURPOSE,PURPOSE][,vendor=ID]",
    "each PURPOSE is 1 to 24 (without them 1,3,4,7) and ID is a vendor of the IAB's list, 1 to 65535, as in "
    "tcf:1,7 or tcf:vendor=28",
    _NAMES,
    _read,
    _changed_at_ms,
    most=25,
    accepts=_accepts,
)
