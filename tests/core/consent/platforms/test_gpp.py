"""The Global Privacy Platform's string: an opt-out is found wherever it stands, and nothing else is taken for consent."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.core.consent.platforms.headers_seen import DENIED, GRANTED, UNKNOWN
from tests.core.consent.platforms.tc_strings import core_bits, gpp_header, number, packed
from tiktok_middleware.core.consent.consent import State
from tiktok_middleware.core.consent.platforms import reader_for
from tiktok_middleware.core.consent.signals import opt_out

NAMES = ("__gpp", "OTGPPConsent", "IABGPP_HDR_GppString")
TC = "CQe_xoAQe_xoAEsABBENCPFgAPLAAAAAAAYgHtQBAABAAcAXmA9oAAIAAAAA.IHtQBAABAAcAXmA9o"

#: Opt-out fields by section: bit offset in the core, after the IAB's pages.
OFFSETS = {
    7: (18, 20, 22),
    8: (12, 14),
    9: (12, 14),
    10: (12, 14),
    11: (14, 16),
    12: (12, 14),
    13: (12, 14),
    14: (12, 14),
    15: (12, 14),
    16: (12, 14),
    17: (12, 14),
    18: (14, 16),
    19: (12, 14),
    20: (12, 14),
    21: (12, 14),
    22: (12, 14),
    23: (12, 14),
    24: (16, 18),
    25: (16, 18),
    26: (16, 18),
    27: (16, 18),
}


def read(text: str, implied: State = UNKNOWN) -> State:
    return reader_for("gpp", implied=implied)(f"a=1; __gpp={text}; __gpp_sid=7")


def section(offsets: dict[int, int], *, version: int = 1, length: int = 66) -> str:
    bits = number(version, 6).ljust(length, "0")
    for offset, value in offsets.items():
        bits = bits[:offset] + number(value, 2) + bits[offset + 2 :]
    return packed(bits)


@pytest.mark.parametrize(
    ("text", "answer", "lenient", "reason"),
    [
        ("DBABL~BVQqAAAAAY.Q", UNKNOWN, GRANTED, ""),
        ("DBABLA~BVQqAAAAAY.QA", UNKNOWN, GRANTED, ""),
        ("DBABL~BVQqAAAAAY.Y", DENIED, DENIED, "gpp_opt_out"),
        ("DBABL~BVQVAAAAAY.Y", DENIED, DENIED, "gpp_opt_out"),
        ("DBABLA~BVQVAAAAAY.YA", DENIED, DENIED, "gpp_opt_out"),
        ("DBABL~BAAAAAAAAY.Q", UNKNOWN, UNKNOWN, ""),
        ("DBABBg~BUoAAABg.Q", UNKNOWN, GRANTED, ""),
        ("DBABBg~BUUAAABg.Y", DENIED, DENIED, "gpp_opt_out"),
        ("DBABT~1YNN", UNKNOWN, GRANTED, ""),
        ("DBABT~1YYN", DENIED, DENIED, "gpp_opt_out"),
        ("DBABT~1---", UNKNOWN, UNKNOWN, ""),
        ("DBACTY~1YYN~BVQVAAAAAY.Y", DENIED, DENIED, "gpp_opt_out"),
        (f"DBABMA~{TC}", GRANTED, GRANTED, ""),
        ("DBABMA~CQe_xoAQe_xoAEsABBENCPFgAAAAAAAAAAYgAAAAAAAA.IAAA", DENIED, DENIED, ""),
        ("DBABMA~CQe_xoAQe_xoAEsABBEN", UNKNOWN, UNKNOWN, ""),
        ("DBAA", UNKNOWN, UNKNOWN, ""),
        ("", UNKNOWN, UNKNOWN, ""),
        ("~1YYN", UNKNOWN, UNKNOWN, ""),
        ("DBABT%7E1YYN", DENIED, DENIED, "gpp_opt_out"),
        ("DBABT~2YYN", UNKNOWN, UNKNOWN, ""),
    ],
)
def test_strings_that_the_library_of_the_iab_made(text: str, answer: State, lenient: State, reason: str) -> None:
    assert read(text) is answer
    assert read(text, GRANTED) is lenient
    assert opt_out(f"a=1; __gpp={text}; b=2") == reason


@pytest.mark.parametrize("text", ["DBABL~BVQVAAAAAY.Y", "DBABBg~BUUAAABg.Y", "DBABT~1YYN", "DBACTY~1YYN~BVQVAAAAAY.Y"])
def test_an_opt_out_that_was_cut_never_becomes_a_grant(text: str) -> None:
    for end in range(len(text)):
        assert read(text[:end], GRANTED) is not GRANTED


@pytest.mark.parametrize("name", NAMES)
def test_every_name_is_read_and_every_copy(name: str) -> None:
    for header in (f"{name}=DBABT~1YYN", f"{name}=DBABT~1YNN; {name}=DBABT~1YYN", f"{name}=%; {name}=DBABT~1YYN"):
        assert opt_out(header) == "gpp_opt_out"
        assert reader_for("gpp", implied=GRANTED)(header) is DENIED
    assert reader_for("gpp", implied=GRANTED)(f"{name}=DBABT~1YNN; {name}=") is UNKNOWN
    assert opt_out(f"x{name}=DBABT~1YYN; {name}x=DBABT~1YYN") == ""


@pytest.mark.parametrize("number_of_section", OFFSETS)
def test_each_opt_out_of_each_section_is_found(number_of_section: int) -> None:
    header, offsets = gpp_header([(number_of_section, number_of_section)]), OFFSETS[number_of_section]
    stayed = dict.fromkeys(offsets, 2)
    assert read(f"{header}~{section(stayed)}", GRANTED) is GRANTED
    assert read(f"{header}~{section(dict.fromkeys(offsets, 0))}", GRANTED) is UNKNOWN
    assert opt_out(f"__gpp={header}~{section(stayed)}") == ""
    for offset in offsets:
        text = f"{header}~{section({**stayed, offset: 1})}"
        assert read(text, GRANTED) is DENIED
        assert opt_out(f"__gpp={text}") == "gpp_opt_out"
        assert read(f"{header}~{section({**stayed, offset: 3})}", GRANTED) is UNKNOWN
        # Fields around it mean something else.
        assert opt_out(f"__gpp={header}~{section({offsets[0] - 2: 1, offsets[-1] + 2: 1})}") == ""
    assert read(f"{header}~{section(stayed, version=24)}", GRANTED) is UNKNOWN
    assert read(f"{header}~{section(stayed)[: offsets[-1] // 6]}", GRANTED) is UNKNOWN


def test_only_the_national_section_has_a_second_version() -> None:
    assert opt_out(f"__gpp={gpp_header([(7, 7)])}~{section({18: 1}, version=3)}") == ""
    assert opt_out(f"__gpp={gpp_header([(7, 7)])}~{section({18: 1}, version=2)}") == "gpp_opt_out"
    assert opt_out(f"__gpp={gpp_header([(8, 8)])}~{section({12: 1}, version=2)}") == ""


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("DBABSYA~BQBQ.AAA", "gpp_opt_out"),  # Rhode Island, both opt-outs
        ("DBABUYA~BQBA.AAA", "gpp_opt_out"),  # Indiana, sale
        ("DBABUYA~BQCA.YAA", ""),  # no opt-out: what follows is about sensitive data, not Global Privacy Control
        ("DBACT08~1Y-N~BAgAAAQA.QA~BQAg.QA", ""),
    ],
)
def test_states_of_the_newer_layout(text: str, reason: str) -> None:
    assert opt_out(f"__gpp={text}") == reason


def test_what_was_read_before_the_cut_counts_as_an_opt_out() -> None:
    assert opt_out(f"__gpp={gpp_header([(24, 24)])}~{section({16: 1})[:3]}") == "gpp_opt_out"
    assert opt_out("__gpp=DBACTY~1YYN") == "gpp_opt_out"
    assert opt_out("__gpp=DBACTY~1YN~BVQVAAAAAY.Y") == "gpp_opt_out", "one unreadable section hides another"
    assert opt_out("__gpp=DBABL~BVQVAAAAAY.") == "gpp_opt_out"


@pytest.mark.parametrize(
    ("text", "lenient"),
    [
        ("DBACTY~1YNN", UNKNOWN),  # a section is missing
        ("DBABT~1YNN~1YNN", UNKNOWN),  # one too many
        ("DBACTY~1YNN~", UNKNOWN),
        ("DBACTY~1---~BVQqAAAAAY.Q", GRANTED),  # one does not apply, the other was not refused
        ("DBABL~BVQqAAAAAY.", UNKNOWN),
        ("DBABL~BVQqAAAAAY.Q.Y", DENIED),
        ("DBABL~BVQqAAAAAY.i", GRANTED),  # a segment of another type
        (f"{gpp_header([(2, 2), (6, 6)])}~{TC}~1---", GRANTED),
        (f"{gpp_header([(2, 2), (6, 6)])}~{TC}~1YYN", DENIED),
        (f"{gpp_header([(2, 2), (6, 6)])}~{packed(core_bits((1,)))}~1YNN", DENIED),
        (f"{gpp_header([(5, 5)])}~{TC}", UNKNOWN),  # Canada's section is not read
    ],
)
def test_sections_together(text: str, lenient: State) -> None:
    assert read(text, GRANTED) is lenient


@given(st.sets(st.integers(1, 300), min_size=1, max_size=12), st.data())
def test_section_ids_in_any_encoding(ids: set[int], data: st.DataObject) -> None:
    groups: list[tuple[int, int]] = []
    for each in sorted(ids - {6}):
        if groups and groups[-1][1] == each - 1 and data.draw(st.booleans()):
            groups[-1] = (groups[-1][0], each)
        else:
            groups.append((each, each))
    count = sum(high - low + 1 for low, high in groups)
    before = sum(1 for each in ids if each < 6)
    texts = ["BAAAAAAAAAA"] * count
    groups = sorted([*groups, (6, 6)])
    texts.insert(before, "1YYN")
    assert opt_out(f"__gpp={'~'.join([gpp_header(groups), *texts])}") == "gpp_opt_out"
    texts[before] = "1YNN"
    assert opt_out(f"__gpp={'~'.join([gpp_header(groups), *texts])}") == ""


@pytest.mark.parametrize(
    "header",
    [
        gpp_header([(6, 6)], kind=2),
        gpp_header([(6, 6)], version=2),
        gpp_header([(6, 6)])[:-1],
        gpp_header([(1, 64)] * 1)[:3],
        gpp_header([(6, 6), (7, 71)]),
        packed(number(3, 6) + number(1, 6) + number(65, 12) + "0011" * 65),
        packed(number(3, 6) + number(1, 6) + number(1, 12) + "0" + "01" * 30),
        packed(number(3, 6) + number(1, 6) + number(1, 12) + "0" + "0" * 24 + "11"),
    ],
)
def test_a_list_of_sections_that_cannot_be_read_says_nothing(header: str) -> None:
    assert opt_out(f"__gpp={header}~1YYN") == ""
    assert read(f"{header}~1YNN", GRANTED) is UNKNOWN


def test_sections_are_bounded() -> None:
    assert opt_out(f"__gpp={gpp_header([(6, 69)])}~1YYN") == "gpp_opt_out"
    assert opt_out(f"__gpp={gpp_header([(6, 70)])}~1YYN") == ""
    assert opt_out("__gpp=DBABT~1YYN" + "~" * 9000) == ""


class TestUsPrivacy:
    """The older string, of which only the third character counts."""

    @pytest.mark.parametrize(
        ("value", "reason"),
        [
            ("1YYN", "usprivacy_opt_out"),
            ("1NYY", "usprivacy_opt_out"),
            ("1-y-", "usprivacy_opt_out"),
            ("1YNN", ""),
            ("1---", ""),
            ("1YY", ""),
            ("1YYNN", ""),
            ("2YYN", ""),
            ("YYY", ""),
            ("", ""),
            ("%", ""),
            (
                "%7B%22uspString%22%3A%221YYN%22%2C%22firstAcknowledgeDate%22%3A%222026-02-03T10%3A00%3A00.000Z%22%2C%22optOutDate%22%3A%222026-02-03T10%3A00%3A00.000Z%22%7D",
                "usprivacy_opt_out",
            ),
            ('{"uspString":"1YYN"}', "usprivacy_opt_out"),
            ('{"uspString":"1YNN"}', ""),
            ('{"uspString":1}', ""),
            ("{}", ""),
            ("{", ""),
            ("%31YYN", "usprivacy_opt_out"),
        ],
    )
    @pytest.mark.parametrize("name", ["usprivacy", "us_privacy"])
    def test_an_opt_out_is_found(self, name: str, value: str, reason: str) -> None:
        assert opt_out(f"a=1; {name}={value}; b=2") == reason
        assert opt_out(f"{name}=1YNN; {name}={value}") == reason

    def test_other_names_are_other_cookies(self) -> None:
        assert opt_out("xusprivacy=1YYN; usprivacyx=1YYN; privacy=1YYN; USPRIVACY=1YYN") == ""

    def test_onetrust_writes_both(self) -> None:
        assert opt_out("OTGPPConsent=DBABLA~BVQVAAAAAY.YA; usprivacy=1YYY") == "gpp_opt_out"


@given(st.text())
def test_any_header_at_all_is_survived(header: str) -> None:
    assert opt_out(header) == ""


@given(st.sampled_from([*NAMES, "usprivacy"]), st.text(), st.text("DBACTYLMg~.1YN-QqVA_%7E{}"))
def test_garbage_never_raises_and_never_grants(name: str, text: str, likely: str) -> None:
    for value in (text, likely, "DBACTY~" + likely):
        assert opt_out(f"{name}={value}") in {"", "gpp_opt_out", "usprivacy_opt_out"}
        assert read(value) is not GRANTED
