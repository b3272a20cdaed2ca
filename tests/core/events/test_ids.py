"""Event ids are the same where they must be, different where they must be, and fit both channels."""

from __future__ import annotations

import datetime as dt
import math
import re
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tiktok_middleware.core.events.ids import check_event_id, check_event_time, once_event_id, timed_event_id
from tiktok_middleware.errors import EventError

NOW_S = 1_760_000_000.0
URL_SAFE = re.compile(r"[A-Za-z0-9_-]{1,64}")


def test_a_once_id_is_the_same_for_ever() -> None:
    """Computed with ``printf 'once\\0Purchase\\0A-1001' | sha256sum``, its first 24 bytes in base64url."""
    assert once_event_id("Purchase", "A-1001") == "CFnjvUGINMFqlwhsmdRzVW6L7HkqGDLu"


@given(st.text(), st.text())
def test_a_once_id_fits_any_key(name: str, key: str) -> None:
    assert URL_SAFE.fullmatch(once_event_id(name, key))


def test_a_once_id_tells_names_and_keys_apart() -> None:
    ids = {once_event_id(name, key) for name in ("Purchase", "Lead") for key in ("1", "2", "", "1 ", "\ud800")}
    assert len(ids) == 10


def test_timed_ids_sort_by_time_whatever_their_random_bytes() -> None:
    earlier = timed_event_id(NOW_S, b"\xff" * 10)
    later = timed_event_id(NOW_S + 0.001, b"\x00" * 10)
    assert earlier < later
    assert earlier == "0199c82cc000ffffffffffffffffffff"


@given(
    st.floats(min_value=-1e18, max_value=1e18),
    st.binary(min_size=8, max_size=26),
)
def test_a_timed_id_is_url_safe_and_holds_its_random_bytes(now_s: float, random_bytes: bytes) -> None:
    made = timed_event_id(now_s, random_bytes)
    assert URL_SAFE.fullmatch(made)
    assert made.endswith(random_bytes.hex())
    assert len(made) == 12 + 2 * len(random_bytes)


@pytest.mark.parametrize("size", [0, 7, 27])
def test_a_timed_id_needs_enough_random_bytes_and_not_too_many(size: int) -> None:
    with pytest.raises(ValueError, match=f"{size} bytes"):
        timed_event_id(NOW_S, b"x" * size)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("a", "a"),
        ("order_1.2:3-4", "order_1.2:3-4"),
        ("x" * 64, "x" * 64),
        (1001, "1001"),
        (UUID("12345678-1234-5678-1234-567812345678"), "12345678-1234-5678-1234-567812345678"),
    ],
)
def test_an_event_id_that_fits_comes_back_as_str(value: object, text: str) -> None:
    assert check_event_id(value) == text
    assert type(check_event_id(value)) is str


@pytest.mark.parametrize(
    ("value", "found"),
    [
        ("", "a str of 0 characters"),
        ("x" * 65, "a str of 65 characters"),
        ("a b", "a str with other characters"),
        ("id\n", "a str with other characters"),
        ("ü", "a str with other characters"),
        (True, "of type bool"),
        (None, "of type NoneType"),
        (-1, "of type int"),
        (10**64, "of type int"),
        (1.5, "of type float"),
        (b"x", "of type bytes"),
    ],
)
def test_an_event_id_that_does_not_fit_is_refused(value: object, found: str) -> None:
    with pytest.raises(EventError) as caught:
        check_event_id(value)
    assert (caught.value.field, caught.value.found) == ("event_id", found)


HOUR = dt.timedelta(hours=1)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (1_760_000_000, 1_760_000_000),
        (1_759_999_999.9, 1_759_999_999),
        (1_760_000_300, 1_760_000_300),
        (1_757_580_800, 1_757_580_800),
        (dt.datetime(2025, 10, 9, 8, 53, 20, tzinfo=dt.timezone.utc), 1_760_000_000),
        (dt.datetime(2025, 10, 9, 10, 53, 20, 999_999, tzinfo=dt.timezone(2 * HOUR)), 1_760_000_000),
    ],
)
def test_a_time_in_the_last_28_days_comes_back_in_whole_seconds(value: object, seconds: int) -> None:
    found = check_event_time(value, NOW_S)
    assert found == seconds
    assert type(found) is int


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (1_760_000_000_000, "divide milliseconds by 1000"),
        (1_757_580_799, "more than 28 days ago"),
        (1_760_000_301, "more than 5 minutes ahead"),
        (0, "more than 28 days ago"),
        (-(10**400), "more than 28 days ago"),
        (10**400, "divide milliseconds"),
        (dt.datetime(2025, 10, 9, 8, 53, 20), "without a time zone"),  # noqa: DTZ001 -- the point
        (dt.datetime.max.replace(tzinfo=dt.timezone(-23 * HOUR)), "too large"),
        (dt.datetime.min.replace(tzinfo=dt.timezone(23 * HOUR)), "more than 28 days ago"),
        (dt.date(2025, 10, 9), "of type date"),
        ("1760000000", "of type str"),
        (True, "of type bool"),
        (None, "of type NoneType"),
        (math.nan, "not a finite number"),
        (math.inf, "not a finite number"),
    ],
)
def test_a_time_that_tiktok_cannot_use_is_refused_with_the_reason(value: object, reason: str) -> None:
    with pytest.raises(EventError, match=reason) as caught:
        check_event_time(value, NOW_S)
    assert caught.value.field == "event_time"
