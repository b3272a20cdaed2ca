"""Every cell of the precedence table, and which record counts as the newer one."""

from __future__ import annotations

import pytest

from tests.core.core_world import scope_request
from tiktok_middleware.core.consent.consent import Consent, is_superseded, make_reader, read_consent
from tiktok_middleware.core.consent.precedence import WINNERS, Newer, Word, newer, read_word, said_value, winner
from tiktok_middleware.core.consent.state import State

G, D, U = State.GRANTED, State.DENIED, State.UNKNOWN
NOW_MS = 1_760_000_000_000

#: By hand: the platform's state, our letter, and the winner where the platform is newer, ours is newer, nothing tells.
CELLS = [
    (G, "", G, G, G),
    (G, "g", G, G, G),
    (G, "d", G, D, D),
    (D, "", D, D, D),
    (D, "g", D, G, D),
    (D, "d", D, D, D),
    (U, "", U, U, U),
    (U, "g", U, G, G),
    (U, "d", D, D, D),
]


@pytest.mark.parametrize(("platform", "letter", "if_platform", "if_own", "if_unclear"), CELLS)
def test_each_cell(platform: State, letter: str, if_platform: State, if_own: State, if_unclear: State) -> None:
    found = [WINNERS[platform, letter, order] for order in (Newer.PLATFORM, Newer.OWN, Newer.UNCLEAR)]
    assert found == [if_platform, if_own, if_unclear]


def test_no_grant_comes_from_two_records_of_which_none_grants() -> None:
    for (platform, letter, _), state in WINNERS.items():
        if state is G:
            assert platform is G or letter == "g"
        if platform is not G and letter == "d":
            assert state is D, "an empty record takes back no refusal"


@pytest.mark.parametrize(
    ("at_ms", "platform_then", "platform_now", "platform_at_ms", "expected"),
    [
        (0, None, G, 0, Newer.PLATFORM),  # ours has no time
        (0, None, D, NOW_MS, Newer.PLATFORM),
        (0, None, U, 0, Newer.OWN),  # there is no other record
        (NOW_MS, None, U, 0, Newer.OWN),
        (NOW_MS, U, U, 0, Newer.OWN),
        (NOW_MS, G, U, 0, Newer.PLATFORM),  # its record is gone since
        (NOW_MS, D, U, 0, Newer.PLATFORM),
        (NOW_MS, D, G, 0, Newer.PLATFORM),  # it has changed since
        (NOW_MS, U, G, NOW_MS - 1, Newer.PLATFORM),
        (NOW_MS, G, D, NOW_MS - 1, Newer.PLATFORM),
        (NOW_MS, G, G, NOW_MS + 1, Newer.PLATFORM),  # times
        (NOW_MS, G, G, NOW_MS - 1, Newer.OWN),
        (NOW_MS, None, D, NOW_MS + 1, Newer.PLATFORM),
        (NOW_MS, None, D, NOW_MS, Newer.OWN),
        (NOW_MS, G, G, 0, Newer.UNCLEAR),
        (NOW_MS, None, D, 0, Newer.UNCLEAR),
    ],
)
def test_newer_record(
    at_ms: int, platform_then: State | None, platform_now: State, platform_at_ms: int, expected: Newer
) -> None:
    assert newer(Word("d", at_ms, platform_then), platform_now, lambda: platform_at_ms) is expected


@pytest.mark.parametrize(
    ("own", "said", "word"),
    [
        ([], [], Word()),
        (["x"], ["g.1760000000000.u"], Word()),
        (["g"], [], Word("g")),
        (["g", "d"], [], Word("d")),
        (["d", "g"], ["g.1760000000000.u"], Word("d")),
        (["g"], ["g.1760000000000.u"], Word("g", NOW_MS, U)),
        (["d"], ["d.1760000000000"], Word("d", NOW_MS)),
        (["d"], ["g.1760000000000.g"], Word("d")),  # of an earlier word
        (["d"], ["d.1760000000000.g", "d.1770000000000.g"], Word("d")),  # copies that disagree
        (["d"], ["d.99999999999999999.g"], Word("d")),
        (["d"], ["d.-1.g"], Word("d")),
        (["d"], ["d.1760000000000.x"], Word("d")),
    ],
)
def test_stored_word(own: list[str], said: list[str], word: Word) -> None:
    assert read_word(own, said) == word


def test_what_is_written_is_read() -> None:
    for letter in ("g", "d"):
        for state in State:
            assert read_word([letter], [said_value(letter, NOW_MS, state)]) == Word(letter, NOW_MS, state)


def test_without_a_word_the_platform_decides_and_is_not_asked_for_its_time() -> None:
    def never() -> int:
        raise AssertionError

    assert [winner(state, Word(), never) for state in State] == list(State)


def consent(cookie: str, setting: str = "klaro:tiktok") -> Consent:
    return read_consent(
        scope_request("/", {"cookie": cookie}), make_reader(setting), gpc="deny", limited_data_use=False
    )


YES, NO = "klaro=%7B%22tiktok%22%3Atrue%7D", "klaro=%7B%22tiktok%22%3Afalse%7D"


@pytest.mark.parametrize(
    ("cookie", "state"),
    [
        (f"_tt_consent=d; _tt_said=d.{NOW_MS}.g; {YES}", D),  # the site's own button, after the platform's yes
        (f"_tt_consent=d; _tt_said=d.{NOW_MS}.d; {YES}", G),  # the platform was asked again since
        (f"_tt_consent=d; _tt_said=d.{NOW_MS}.u; {YES}", G),
        (f"_tt_consent=d; _tt_said=d.{NOW_MS}; {YES}", D),  # nothing tells
        (f"_tt_consent=d; {YES}", G),
        (f"_tt_consent=g; _tt_said=g.{NOW_MS}.u; {NO}", D),
        (f"_tt_consent=g; _tt_said=g.{NOW_MS}.d; {NO}", D),  # no time tells that ours is newer
        (f"_tt_consent=g; {NO}", D),
        (f"_tt_consent=g; _tt_said=g.{NOW_MS}.g", U),  # the platform's record has expired
        (f"_tt_consent=g; _tt_said=g.{NOW_MS}.u", G),  # the site's own banner
        (f"_tt_consent=g; _tt_consent=d; {YES}; _tt_said=d.{NOW_MS}.g", D),
        (f"_tt_consent=d; _tt_said=d.{NOW_MS}.d; usprivacy=1YYN; {YES}", D),
    ],
)
def test_a_reader_and_a_stored_word(cookie: str, state: State) -> None:
    assert consent(cookie).state is state


#: Records of a platform that writes times, and of one that writes none, by state.
TIMED = {G: "c15t=c.marketing:1,i.t:{at_ms}", D: "c15t=c.marketing:0,i.t:{at_ms}", U: "other=1"}
UNTIMED = {G: YES, D: NO, U: "other=1"}


#: Without a record of the platform ours is the newer one: there the third column cannot be reached.
REACHED = [(*cell[:2], column, cell[2 + column]) for cell in CELLS for column in range(2 if cell[0] is U else 3)]


@pytest.mark.parametrize(("platform", "letter", "column", "expected"), REACHED)
def test_each_cell_by_cookies(platform: State, letter: str, column: int, expected: State) -> None:
    then = "g" if platform is U and column == 0 else {G: "g", D: "d", U: "u"}[platform]
    word = f"_tt_consent={letter}; _tt_said={letter}.{NOW_MS}.{then}; " if letter else ""
    setting, records = ("klaro:tiktok", UNTIMED) if column == 2 else ("c15t", TIMED)
    record = records[platform].replace("{at_ms}", str(NOW_MS + (5000 if column == 0 else -5000)))
    assert consent(word + record, setting).state is expected
    assert consent(f"{record}; {word}a=b", setting).state is expected


@pytest.mark.parametrize(
    ("cookie", "expected"),
    [
        (f"_tt_consent=d; _tt_said=d.{NOW_MS}.d; {YES}", True),
        (f"_tt_consent=g; _tt_said=g.{NOW_MS}.u; {NO}", True),
        (f"_tt_consent=g; _tt_said=g.{NOW_MS}.g", True),
        (f"_tt_consent=d; _tt_said=d.{NOW_MS}.g; {YES}", False),
        (f"_tt_consent=g; _tt_said=g.{NOW_MS}.u", False),
        (f"_tt_consent=d; {YES}", False),
        (YES, False),
    ],
)
def test_a_word_that_the_platform_has_outlived_is_taken_away(cookie: str, expected: bool) -> None:
    assert is_superseded(scope_request("/", {"cookie": cookie}), make_reader("klaro:tiktok")) is expected
    assert is_superseded(scope_request("/", {"cookie": cookie}), make_reader("implied")) is False
