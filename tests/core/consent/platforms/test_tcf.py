"""The IAB's consent string: a grant needs every purpose, by consent, in a whole and valid string of this site."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.core.consent.platforms.headers_seen import DENIED, GRANTED, UNKNOWN
from tests.core.consent.platforms.tc_strings import (
    MARCH,
    NO_VENDORS,
    core_bits,
    disclosed,
    number,
    packed,
    ranges,
    vendor_field,
    vendor_ranges,
)
from tiktok_middleware.core.consent.consent import State
from tiktok_middleware.core.consent.platforms import reader_for

#: Decoded alike by the IAB's own library.
RANGE = "CQe_xoAQe_xoAEsABBENCPFgAPLAAAAAAAYgHtQBAABAAcAXmA9oAAIAAAAA.IHtQBAABAAcAXmA9o"
FIELD = "CQe_xoAQe_xoAEsABBENCPFgAPLAAAAAAAYgAOEAAABAAAAA.IAOEAAAB"
ONE_RANGE = "CQe_xoAQe_xoAEsABBENCPEgAPIAAAAAAAYgAJwAYAAgAmAAEAAAA.IAJwAYAAgAm"
NOTHING = "CQe_xoAQe_xoAEsABBENCPFgAAAAAAAAAAYgAAAAAAAA.IAAA"
PARTIAL = "CQe_xoAQe_xoAEsABBENCPFgAIIAAECAAAYgF5wAQF5gABAAAA.IF5wAQF5g"
SHIFTED = "CQe_xoAQe_xoAEsABBENCPFgAIIAAAECAAAYgF5wAQF5gABAAAA.IF5wAQF5g"  # a character too many
NO_STORAGE = "CQe_xoAQe_xoAEsABBENCPFgADIAAAAAAAYgAOQAgABAAcAACAAAA.IAOQAgABAAc"
CUT = "CQe_xoAQe_xoAEsABBEN"


def read(text: str, setting: str = "tcf") -> State:
    return reader_for(setting, implied=UNKNOWN)(f"a=1; euconsent-v2={text}; b=2")


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        (RANGE, GRANTED),
        (FIELD, GRANTED),
        (ONE_RANGE, GRANTED),
        (NOTHING, DENIED),
        (PARTIAL, DENIED),
        (SHIFTED, UNKNOWN),
        (NO_STORAGE, DENIED),
        (CUT, UNKNOWN),
        ("CQ", UNKNOWN),
        ("", UNKNOWN),
        (".", UNKNOWN),
        (RANGE + ".", UNKNOWN),
        (RANGE + "=", UNKNOWN),
        (RANGE.replace("_", "/"), UNKNOWN),
        (RANGE.replace("C", "B", 1), UNKNOWN),
        (RANGE.replace("C", "\xff", 1), UNKNOWN),
        (RANGE.replace(".", "%2E"), GRANTED),
    ],
)
def test_strings_that_the_library_of_the_iab_made(text: str, answer: State) -> None:
    assert read(text) is answer


@pytest.mark.parametrize(
    ("text", "vendors"),
    [(RANGE, {2, 28, 755, 986}), (FIELD, {2, 28}), (ONE_RANGE, set(range(1, 20))), (NOTHING, set())],
)
def test_a_vendor_is_asked_only_where_configured(text: str, vendors: set[int]) -> None:
    for vendor in (1, 2, 3, 19, 20, 27, 28, 29, 754, 755, 756, 986, 987, 65_535):
        assert read(text, f"tcf:vendor={vendor}") is (GRANTED if vendor in vendors else DENIED)


def test_both_names_are_read_and_the_refusal_wins() -> None:
    reader = reader_for("tcf", implied=UNKNOWN)
    assert reader(f"eupubconsent-v2={RANGE}") is GRANTED
    assert reader(f"eupubconsent-v2={RANGE}; euconsent-v2={NOTHING}") is DENIED
    assert reader(f"eupubconsent-v2={RANGE}; euconsent-v2={CUT}") is UNKNOWN
    assert reader(f"xeuconsent-v2={RANGE}; euconsent-v2x={RANGE}; consent-v2={RANGE}") is UNKNOWN


@pytest.mark.parametrize("text", [RANGE, FIELD, ONE_RANGE, NOTHING, PARTIAL, NO_STORAGE])
@pytest.mark.parametrize("setting", ["tcf", "tcf:vendor=28", "tcf:1", "tcf:9"])
def test_a_string_cut_inside_a_segment_is_unknown(text: str, setting: str) -> None:
    core, _, vendors = text.partition(".")
    whole = len(core.rstrip("A"))  # the last characters of these may be nothing but padding and an empty list
    for end in range(len(core)):
        assert read(core[:end], setting) is UNKNOWN or end > max(whole, len(core) - 2)
    for end in range(len(vendors) - 1):
        assert read(f"{core}.{vendors[:end]}", setting) is UNKNOWN


@pytest.mark.parametrize("missing", [1, 3, 4, 7])
def test_every_purpose_is_needed(missing: int) -> None:
    given_purposes = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11} - {missing}
    assert read(packed(core_bits(given_purposes))) is DENIED
    assert read(packed(core_bits(given_purposes, interest=(missing,)))) is DENIED, "legitimate interest counts"
    others = ",".join(str(purpose) for purpose in (1, 3, 4, 7) if purpose != missing)
    assert read(packed(core_bits(given_purposes)), f"tcf:{others}") is GRANTED


@given(st.sets(st.integers(1, 24)), st.sets(st.integers(1, 24), min_size=1))
def test_granted_is_exactly_every_asked_purpose(consented: set[int], asked: set[int]) -> None:
    setting = "tcf:" + ",".join(map(str, sorted(asked)))
    assert read(packed(core_bits(consented)), setting) is (GRANTED if asked <= consented else DENIED)


@pytest.mark.parametrize(
    ("bits", "answer"),
    [
        (core_bits(), GRANTED),
        (core_bits(version=1), UNKNOWN),
        (core_bits(version=3), UNKNOWN),
        (core_bits(policy=3), UNKNOWN),
        (core_bits(policy=4), GRANTED),
        (core_bits(policy=6), GRANTED),
        (core_bits(own_site=0), UNKNOWN),
        (core_bits(one_treatment=1), DENIED),
        (core_bits(created=MARCH - 1), GRANTED),
        (core_bits(created=MARCH), UNKNOWN),
    ],
)
def test_strings_that_do_not_count(bits: str, answer: State) -> None:
    assert read(packed(bits)) is answer


def test_a_site_that_does_not_ask_for_purpose_1_may_leave_it_undisclosed() -> None:
    assert read(packed(core_bits((3, 7), one_treatment=1)), "tcf:3,7") is GRANTED


@pytest.mark.parametrize(
    ("segments", "answer"),
    [
        ([disclosed()], GRANTED),
        ([disclosed(vendor_field({1}, 200))], GRANTED),
        ([disclosed(vendor_ranges([(1, 5), (9, 9)], 9))], GRANTED),
        ([disclosed(vendor_field({1}, 200))[:-1]], UNKNOWN),
        ([disclosed(vendor_ranges([(1, 5), (9, 9)], 9))[:-3]], UNKNOWN),
        ([packed("011" + "0" * 60)], UNKNOWN),  # the publisher's own purposes are no list of vendors
        ([packed("011" + "0" * 60), disclosed()], GRANTED),
        ([], UNKNOWN),
    ],
)
def test_from_march_2026_the_disclosed_vendors_are_needed(segments: list[str], answer: State) -> None:
    assert read(".".join([packed(core_bits(created=MARCH)), *segments])) is answer


SPANS = st.lists(st.tuples(st.integers(1, 60), st.integers(0, 20)), max_size=6).map(
    lambda pairs: [(low, low + more) for low, more in pairs]
)


@given(SPANS, SPANS, st.integers(1, 90), st.booleans())
def test_vendors_in_any_encoding(
    spans: list[tuple[int, int]], others: list[tuple[int, int]], vendor: int, flat: bool
) -> None:
    members = {member for low, high in spans for member in range(low, high + 1)}
    vendors = vendor_field(members, max(members, default=0)) if flat else vendor_ranges(spans, 90)
    bits = core_bits(vendors=vendors, vendors_interest=vendor_ranges(others, 90))
    assert read(packed(bits), f"tcf:vendor={vendor}") is (GRANTED if vendor in members else DENIED)
    assert read(packed(bits)) is GRANTED
    assert read(packed(bits)[:-2]) is UNKNOWN


@pytest.mark.parametrize(
    ("restriction", "answer"),
    [
        ((3, 0, [(20, 30)]), DENIED),  # the publisher allows it to nobody in the range
        ((3, 1, [(20, 30)]), GRANTED),  # by consent only, which is what is asked
        ((3, 2, [(20, 30)]), DENIED),  # by legitimate interest only
        ((3, 0, [(1, 27), (29, 40)]), GRANTED),
        ((2, 0, [(28, 28)]), GRANTED),
        ((3, 0, []), GRANTED),
    ],
)
def test_the_publisher_may_restrict_a_vendor(
    restriction: tuple[int, int, list[tuple[int, int]]], answer: State
) -> None:
    bits = core_bits(vendors=vendor_field({28}, 28), restrictions=[(9, 0, [(28, 28)]), restriction])
    assert read(packed(bits), "tcf:vendor=28") is answer
    assert read(packed(bits)) is GRANTED


def test_ranges_are_bounded() -> None:
    def string(count: int) -> str:
        many = number(65_535, 16) + "1" + number(count, 12) + ("0" + number(9, 16)) * count
        return packed(core_bits(vendors=many))

    for setting in ("tcf", "tcf:vendor=9"):
        assert read(string(2000), setting) is GRANTED
        assert read(string(2001), setting) is UNKNOWN
    assert read(packed(core_bits(restrictions=[(1, 1, [])] * 4000))) is UNKNOWN, "longer than any cookie"
    assert read(packed(core_bits(restrictions=[(1, 1, [])] * 2000))) is GRANTED


def test_ranges_that_promise_more_than_there_is_are_cut() -> None:
    bits = core_bits(vendors=number(9, 16) + "1" + number(7, 12), vendors_interest="")
    assert read(packed(bits)) is UNKNOWN
    assert read(packed(bits), "tcf:vendor=9") is UNKNOWN
    assert ranges([]) == "0" * 12
    assert read(packed(core_bits(vendors=NO_VENDORS)[: 213 + 17 + 17])) is UNKNOWN


@given(st.text("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.", max_size=120))
def test_made_up_strings_never_grant(text: str) -> None:
    assert read(text, "tcf") is not GRANTED
    assert read("C" + text, "tcf") is not GRANTED
    assert read(RANGE[:30] + text, "tcf:vendor=28") in State
