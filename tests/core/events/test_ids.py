"""Event ids are the same where they must be, different where they must be, and fit both channels."""

from __future__ import annotations

import base64
import enum
import hashlib
import math
import re
from collections.abc import Callable
from decimal import Decimal
from uuid import UUID

import pytest
from django.utils.functional import lazy
from hypothesis import given
from hypothesis import strategies as st

from tiktok_middleware.core.events.ids import (
    is_browser_id,
    once_event_id,
    read_event_id,
    read_once,
    timed_event_id,
)
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
    assert read_event_id(value) == text
    assert type(read_event_id(value)) is str


class Order(enum.Enum):
    FIRST = "A-1"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (" 1001 ", "1001"),
        (1001.0, "1001"),
        (Decimal(1001), "1001"),
        (Decimal("1001.00"), "1001"),
        (-5, "-5"),
        (1.5, "1.5"),
        (Order.FIRST, "A-1"),
    ],
)
def test_spellings_of_one_id_are_one_id(value: object, text: str) -> None:
    assert read_event_id(value) == text
    assert read_once(value) == text


@pytest.mark.parametrize(
    "value",
    [
        "2026/1001",
        "x" * 65,
        "a b",
        "Bestellung Nr. 7",
        "ü",
        "#1001",
        "bob@shop.example",
        "\ud800",
        "a\nb",
        10**70,
    ],
)
def test_an_id_of_another_form_is_hashed_the_same_every_time(value: object) -> None:
    made = read_event_id(value)
    assert URL_SAFE.fullmatch(made)
    assert made == read_event_id(value)
    assert made != read_event_id(f"{str(value)[:100] if isinstance(value, str) else 'n'}.")


def test_an_integer_of_thousands_of_digits_is_an_id_too() -> None:
    assert URL_SAFE.fullmatch(read_event_id(10**9000))


def test_the_hash_of_an_id_never_changes() -> None:
    """Computed with ``printf 'event_id\\0%s' 2026/1001 | sha256sum``, its first 24 bytes in base64url."""
    digest = hashlib.sha256(b"event_id\x002026/1001").digest()[:24]
    assert read_event_id("2026/1001") == base64.urlsafe_b64encode(digest).decode()


@pytest.mark.parametrize(
    "value",
    [
        "",
        "  ",
        "null",
        "undefined",
        "None",
        "NaN",
        "{{order_id}}",
        "__ORDER__",
        "${id}",
        "guest",
        "[object Object]",
    ],
)
@pytest.mark.parametrize("read", [read_event_id, read_once])
def test_a_word_for_a_missing_id_is_refused(read: Callable[[object], str], value: object) -> None:
    """All such events would have one id: TikTok would count the first and drop the rest."""
    with pytest.raises(EventError):
        read(value)


@pytest.mark.parametrize("value", [True, None, b"x", ["x"], {}, object(), math.nan, math.inf, Decimal("NaN")])
@pytest.mark.parametrize("read", [read_event_id, read_once])
def test_what_is_neither_text_nor_number_is_refused(read: Callable[[object], str], value: object) -> None:
    with pytest.raises(EventError):
        read(value)


@pytest.mark.parametrize(
    ("value", "fits"),
    [
        ("2026/1001", True),
        ("a b", True),
        ("x" * 256, True),
        ("x" * 257, False),
        ("", False),
        ("a\nb", False),
        ("null", False),
    ],
)
def test_the_id_of_a_copy_that_has_left_is_kept_as_it_is(value: str, fits: bool) -> None:
    assert is_browser_id(value) is fits


@pytest.mark.parametrize("read", [read_event_id, read_once])
def test_lazy_translation_is_read_as_its_text(read: Callable[[object], str]) -> None:
    assert read(lazy(lambda: " 1001", str)()) == "1001"
