"""An event's time is read where it has one sensible reading; the event goes in every case."""

from __future__ import annotations

import datetime as dt
import math
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.utils.functional import lazy
from hypothesis import given
from hypothesis import strategies as st

from tiktok_middleware.core.events.times import MAX_AGE_S, Moment, read_event_time

NOW_S = 1_760_000_000.0  # 2025-10-09 08:53:20 UTC
HOUR = dt.timedelta(hours=1)
BERLIN = ZoneInfo("Europe/Berlin")
UTC = dt.timezone.utc


class Indexed:
    """A whole number as numpy's are."""

    def __index__(self) -> int:
        return 1_760_000_000


class Raises:
    def __float__(self) -> float:
        raise RuntimeError("theirs")


class Sly:
    @property  # type: ignore[misc]  # as lazy objects do
    def __class__(self) -> Any:
        raise RuntimeError("theirs")


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        # seconds
        (1_760_000_000, 1_760_000_000),
        (1_759_999_999.9, 1_759_999_999),
        (1_760_000_300, 1_760_000_300),
        (NOW_S - MAX_AGE_S, 1_757_580_800),
        (Decimal(1760000000), 1_760_000_000),
        (Indexed(), 1_760_000_000),
        ("1760000000", 1_760_000_000),
        (" 1760000000.5 ", 1_760_000_000),
        # finer units
        (1_760_000_000_000, 1_760_000_000),
        (1_760_000_000_000.0, 1_760_000_000),
        ("1760000000000", 1_760_000_000),
        (Decimal(1760000000000), 1_760_000_000),
        (1_760_000_000_000_000, 1_760_000_000),
        (1_760_000_000_000_000_000, 1_760_000_000),
        # datetimes
        (dt.datetime(2025, 10, 9, 8, 53, 20, tzinfo=UTC), 1_760_000_000),
        (dt.datetime(2025, 10, 9, 10, 53, 20, 999_999, tzinfo=dt.timezone(2 * HOUR)), 1_760_000_000),
        (dt.datetime(2025, 10, 9, 8, 53, 20), 1_760_000_000),  # noqa: DTZ001 -- naive, as utcnow() gives it
        (dt.date(2025, 10, 9), 1_759_968_000),
        # ISO 8601
        ("2025-10-09T08:53:20Z", 1_760_000_000),
        ("2025-10-09T08:53:20z", 1_760_000_000),
        ("2025-10-09T10:53:20+02:00", 1_760_000_000),
        ("2025-10-09T10:53:20+0200", 1_760_000_000),
        ("2025-10-09T10:53:20+02", 1_760_000_000),
        ("2025-10-09T03:53:20-05:00", 1_760_000_000),
        ("2025-10-09 08:53:20", 1_760_000_000),
        ("2025-10-09 08:53:20 UTC", 1_760_000_000),
        ("2025-10-09T08:53:20.123456789Z", 1_760_000_000),
        ("2025-10-09T08:53:20,5Z", 1_760_000_000),
        ("2025-10-09T08:53", 1_759_999_980),
        ("20251009T085320Z", 1_760_000_000),
        ("2025-10-09", 1_759_968_000),
        ("20251009", 1_759_968_000),
        # the same with other marks, year first
        ("2025/10/09 08:53:20", 1_760_000_000),
        ("2025.10.09 08:53:20", 1_760_000_000),
        # HTTP, e-mail, ctime
        ("Thu, 09 Oct 2025 08:53:20 GMT", 1_760_000_000),
        ("Thursday, 09-Oct-2025 08:53:20 GMT", 1_760_000_000),
        ("Thu, 9 Oct 2025 10:53:20 +0200", 1_760_000_000),
        ("09 Oct 2025 08:53 -0000", 1_759_999_980),
        ("Thu Oct  9 08:53:20 2025", 1_760_000_000),
        ("thu oct 09 08:53:20 2025", 1_760_000_000),
        (lazy(lambda: "2025-10-09T08:53:20Z", str)(), 1_760_000_000),
    ],
)
def test_a_time_of_a_usual_form_is_read(value: object, seconds: int) -> None:
    moment = read_event_time(value, NOW_S)
    assert moment == Moment(seconds)
    assert type(moment.seconds) is int


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (dt.datetime(2025, 10, 9, 10, 53, 20), 1_760_000_000),  # noqa: DTZ001 -- naive
        ("2025-10-09T10:53:20", 1_760_000_000),
        ("2025-10-09T08:53:20Z", 1_760_000_000),
        (dt.datetime(2025, 10, 9, 8, 53, 20, tzinfo=UTC), 1_760_000_000),
        (dt.date(2025, 10, 9), 1_759_960_800),
    ],
)
def test_a_naive_time_is_of_the_frameworks_zone(value: object, seconds: int) -> None:
    assert read_event_time(value, NOW_S, zone=BERLIN).seconds == seconds


@pytest.mark.parametrize(
    "value", [NOW_S + 301, NOW_S + 3600, "2025-10-09T10:53:20", dt.datetime.max.replace(tzinfo=UTC)]
)
def test_a_time_in_the_future_is_now_and_is_said(value: object) -> None:
    moment = read_event_time(value, NOW_S)
    assert moment.seconds == 1_760_000_000
    assert "in the future" in moment.note
    assert moment.problem is None


@pytest.mark.parametrize(
    "value", [NOW_S - MAX_AGE_S - 1, 1_000_000_000, "2019-01-01", dt.datetime.min.replace(tzinfo=UTC)]
)
def test_a_time_that_is_too_old_is_as_old_as_may_be_and_is_said(value: object) -> None:
    moment = read_event_time(value, NOW_S)
    assert moment.seconds == 1_757_580_800
    assert "28 days" in moment.note
    assert read_event_time(value, NOW_S, max_age_s=7 * 86_400).seconds == 1_759_395_200


@pytest.mark.parametrize(
    "value",
    [
        *(0, -1, 1, 86_400, 200_000_000_000, 10**400, -(10**400)),
        *(
            "",
            "now",
            "yesterday",
            "09.10.2025",
            "10/09/2025",
            "2025-13-01",
            "2025-02-30",
            "2025-10-09T25:00",
            "x" * 1000,
        ),
        *("12345678901234567890123", "99999999", "2025-10-09T08:53:20+99:00"),
        *(True, None, [], {}, b"2025-10-09", object(), 1j, dt.timedelta(1), dt.time(8)),
        *(math.nan, math.inf, Decimal("NaN"), Decimal("sNaN"), Raises()),
    ],
)
def test_a_time_without_one_sensible_reading_is_now_and_a_problem(value: object) -> None:
    moment = read_event_time(value, NOW_S)
    assert moment.seconds == 1_760_000_000
    assert moment.problem is not None
    assert moment.problem.field == "event_time"


def test_an_object_that_raises_when_it_is_asked_for_its_type_is_a_problem() -> None:
    moment = read_event_time(Sly(), NOW_S)
    assert moment.seconds == 1_760_000_000
    assert moment.problem is not None


@given(
    st.none()
    | st.integers()
    | st.floats()
    | st.decimals()
    | st.text()
    | st.binary()
    | st.datetimes()
    | st.dates()
    | st.datetimes(timezones=st.timezones())
    | st.booleans()
    | st.from_regex(r"[0-9TZ:. +-]{4,30}")
)
def test_whatever_is_given_gives_a_time_that_tiktok_can_use(value: object) -> None:
    moment = read_event_time(value, NOW_S)
    assert NOW_S - MAX_AGE_S <= moment.seconds <= NOW_S + 300
