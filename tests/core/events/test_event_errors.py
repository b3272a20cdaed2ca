"""What whoever gave something wrong is told: each way to go wrong, and the whole sentence, typed by hand.

The last test finds every place of the core that refuses something, and fails where no row of a table has been there.
"""

from __future__ import annotations

import ast
import sys
from collections import UserDict
from collections.abc import Callable, Iterator, Mapping
from decimal import Decimal
from functools import lru_cache, partial
from hashlib import sha256
from pathlib import Path
from types import FrameType
from typing import Any, cast

import pytest

from tests.core.core_world import runtime_of, tracker_of
from tiktok_middleware.core.events.event import DraftWriter
from tiktok_middleware.core.runtime import Runtime
from tiktok_middleware.core.tracking.server_tracker import Context, server_tracker
from tiktok_middleware.core.visitor.user_data import read_identity
from tiktok_middleware.errors import EventError

_NAME = "a letter, then at most 49 letters, digits, '_' or '-'"
_ID = "a text, a number or a UUID"
_TIME = "Unix seconds, ISO 8601 text or a datetime"
_PLAIN = "a number, without symbols or thousands separators"
_OWN = "str, number, bool, date, or list and dict of these"
_EMAIL = "an address such as name@example.com, or its SHA-256"
_PHONE = "E.164 such as +12133734253"
_ZIP = "a postal code as str (an int has lost its leading zeros), or its SHA-256"
_FIELDS = "email, phone, external_id, first_name, last_name, city, state, country, zip_code"
_DRAFTS = "nothing unless TIKTOK_OUTBOX is postgresql://... or django:ALIAS, in the database of the app"
_LEAD = "a text of 1 to 256 characters or a whole number"

_HASH_OF_NOTHING = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"


class Raises(dict[str, object]):
    """A mapping that breaks when it is read."""

    def items(self) -> Any:
        raise RuntimeError("theirs")


class NoMapping(UserDict[str, object]):
    """The same, when it is unpacked."""

    def keys(self) -> Any:
        raise RuntimeError("theirs")


class Odd:
    """An object that breaks when it is read."""

    def __float__(self) -> float:
        raise RuntimeError("theirs")


class Sly:
    """The same, when it is asked what it is."""

    @property  # type: ignore[misc]  # a lie, as lazy objects tell it
    def __class__(self) -> Any:
        raise RuntimeError("theirs")


def _nested(levels: int) -> dict[str, object]:
    made: dict[str, object] = {}
    for _ in range(levels):
        made = {"a": made}
    return made


NAMES: list[tuple[Any, str]] = [
    (7, "event is of type int; allowed: a name such as 'Purchase'"),
    ("", f"event is an empty str; allowed: {_NAME}"),
    ("x" * 51, f"event is a str of 51 characters; allowed: {_NAME}"),
    ("1st", f"event is a str that does not begin with a letter; allowed: {_NAME}"),
    ("Buy now", f"event is a str with a space; allowed: {_NAME}"),
    ("Käufe", f"event is a str with other characters; allowed: {_NAME}"),
    ("Checkout", "event is a name reserved by TikTok; allowed: 'InitiateCheckout'"),
]

CRM_NAMES: list[tuple[Any, str]] = [
    ("--", "event is a str without letters; allowed: a name of 1 to 100 characters"),
    ("x" * 101, "event is a str of 101 characters; allowed: a name of 1 to 100 characters"),
    (
        "bob@example.com",
        "event is a name with an e-mail address or a phone number; allowed: a name of 1 to 100 characters",
    ),
]

ARGUMENTS: list[tuple[dict[str, Any], str]] = [
    ({"event_id": ""}, f"event_id is an empty str; allowed: {_ID}"),
    ({"event_id": "null"}, f"event_id is a word for a missing value; allowed: {_ID}"),
    ({"event_id": True}, f"event_id is of type bool; allowed: {_ID}"),
    ({"event_id": b"x"}, f"event_id is of type bytes; allowed: {_ID}"),
    ({"event_id": float("nan")}, f"event_id is not a finite number; allowed: {_ID}"),
    ({"event_id": Sly()}, f"event_id is of type Sly, which raised when it was read; allowed: {_ID}"),
    ({"once": ""}, f"once is an empty str; allowed: {_ID}"),
    ({"once": "undefined"}, f"once is a word for a missing value; allowed: {_ID}"),
    ({"once": True}, f"once is of type bool; allowed: {_ID}"),
    ({"event_time": 5}, f"event_time is a number that is no time since 2001; allowed: {_TIME}"),
    ({"event_time": True}, f"event_time is of type bool; allowed: {_TIME}"),
    ({"event_time": b"x"}, f"event_time is of type bytes; allowed: {_TIME}"),
    ({"event_time": "now"}, f"event_time is a str that is no ISO 8601 time; allowed: {_TIME}"),
    ({"event_time": "x" * 61}, f"event_time is a str of 61 characters; allowed: {_TIME}"),
    ({"event_time": "2025-02-30"}, f"event_time is a str with a date that does not exist; allowed: {_TIME}"),
    ({"event_time": float("nan")}, f"event_time is not a finite number; allowed: {_TIME}"),
    ({"event_time": Odd()}, f"event_time is of type Odd, which raised when it was read; allowed: {_TIME}"),
    ({"once_per": "session"}, "once_per is another word; allowed: 'visit'"),
    ({"once_per": 5}, "once_per is of type int; allowed: 'visit'"),
    (
        {"on_commit": True},
        "on_commit is True without Django; allowed: True behind tiktok_middleware.contrib.django alone",
    ),
]

PROPERTIES: list[tuple[Any, str]] = [
    # the mapping
    (["value"], "properties is of type list; allowed: a mapping such as a dict"),
    (NoMapping(), "properties is a mapping that raised when it was read; allowed: a dict"),
    (
        {"contents": [Raises(price=1)]},
        "properties.contents[0] is a mapping that raised when it was read; allowed: a dict",
    ),
    (
        {f"k{number}": 1 for number in range(101)},
        "properties is a mapping of more than 100 keys (the rest is left out); allowed: 100 keys",
    ),
    ({f"k{number}": "x" * 1999 for number in range(40)}, "properties.k32 is more than one event may hold; allowed: 64 KB in all"),
    ({f"k{number}": "\u00e9" * 1000 for number in range(40)}, "properties.k32 is more than one event may hold; allowed: 64 KB in all"),
    # its keys
    ({5: 1}, "properties.? is a key of type int; allowed: keys of type str"),
    ({"a@b.example": 1}, "properties.? is not a plain name; allowed: at most 100 characters, no control characters, no '@'"),
    ({"email": "x"}, "properties.email is no parameter of an event; allowed: identify(), which hashes it"),
    ({"ttclid": "x"}, "properties.ttclid is no parameter of an event; allowed: nothing: the middleware sets it"),
    ({"event_id": "x"}, "properties.event_id is no parameter of an event; allowed: track(event_id=...)"),
    # numbers
    ({"value": True}, "properties.value is of type bool; allowed: a number"),
    ({"value": object()}, "properties.value is of type object; allowed: a number"),
    ({"value": float("inf")}, "properties.value is not a finite number; allowed: a finite number"),
    ({"value": Decimal("NaN")}, "properties.value is not a finite number; allowed: a finite number"),
    ({"value": 2.0**60}, "properties.value is a number beyond 2**53; allowed: a number that JavaScript can hold"),
    ({"value": "EUR 5"}, f"properties.value is a str that is not a plain number; allowed: {_PLAIN}"),
    ({"value": "1,000"}, f"properties.value is a str that is not a plain number; allowed: {_PLAIN}"),
    ({"value": -1}, "properties.value is a negative number; allowed: 0 or more"),
    ({"value": Odd()}, "properties.value is of type Odd, which raised when it was read; allowed: a plain value"),
    ({"num_items": 1.5}, "properties.num_items is a fraction; allowed: a whole number"),
    ({"num_items": -2}, "properties.num_items is a negative number; allowed: 0 or more"),
    # words and texts
    ({"currency": "euro"}, "properties.currency is not a currency code; allowed: three letters of ISO 4217, such as 'EUR'"),
    ({"content_type": "products"}, "properties.content_type is another word; allowed: 'product' or 'product_group'"),
    ({"customer_type": "old"}, "properties.customer_type is another word; allowed: 'new' or 'returning'"),
    ({"description": b"x"}, "properties.description is of type bytes; allowed: a str"),
    ({"description": object()}, "properties.description is of type object; allowed: a str"),
    (
        {"description": "mail me: someone@shop.example"},
        "properties.description is a text with an e-mail address or a phone number; allowed: nothing personal; identify() hashes it",
    ),
    # ids
    ({"order_id": ""}, "properties.order_id is empty; allowed: an id as str or int"),
    ({"order_id": 1.5}, "properties.order_id is of type float; allowed: an id as str or int"),
    ({"order_id": True}, "properties.order_id is of type bool; allowed: an id as str or int"),
    ({"order_id": b"A-1"}, "properties.order_id is of type bytes; allowed: an id as str or int"),
    ({"contents": [{"content_id": "a", "quantity": 0.5}]}, "properties.contents[0].quantity is a fraction; allowed: a whole number"),
    ({"order_id": "x" * 201}, "properties.order_id is a str of 201 characters; allowed: at most 200 characters"),
    # lists
    ({"content_ids": 5.5}, "properties.content_ids is of type float; allowed: a list of ids"),
    ({"content_ids": ["a", 5.5]}, "properties.content_ids[1] is of type float; allowed: an id as str or int"),
    ({"contents": "SKU"}, "properties.contents is of type str; allowed: a list of dicts with content_id, price and quantity"),
    ({"contents": [{"content_id": "a"}, 5]}, "properties.contents[1] is of type int; allowed: a mapping of names to values"),
    (
        {"contents": [{"content_id": "a", "price": "5 EUR"}]},
        f"properties.contents[0].price is a str that is not a plain number; allowed: {_PLAIN}",
    ),
    ({"contents": [{"content_id": 1.5}]}, "properties.contents[0].content_id is of type float; allowed: an id as str or int"),
    ({"contents": [{}] * 1001}, "properties.contents is more than 1000 items; allowed: at most 1000 items"),
    # an app's own
    ({"mine": {1, 2}}, f"properties.mine is of type set; allowed: {_OWN}"),
    ({"mine": object()}, f"properties.mine is of type object; allowed: {_OWN}"),
    ({"mine": _nested(9)}, "properties.mine is nested too deeply; allowed: at most 6 levels"),
    (
        {"mine": {5: 1}},
        "properties.mine is a dict with a key of type int that is no plain name; allowed: str keys, at most 100 characters",
    ),
]  # fmt: skip

IDENTITY: list[tuple[Any, str]] = [
    (Raises(email=1), "identify is a mapping that raised when it was read; allowed: a dict"),
    ({"email": "x"}, f"identify.email is a str that is no e-mail address (0 at signs); allowed: {_EMAIL}"),
    ({"email": 5}, f"identify.email is of type int; allowed: {_EMAIL}"),
    ({"email": "x" * 321}, f"identify.email is a str of 321 characters; allowed: {_EMAIL}"),
    ({"email": "d41d8cd98f00b204e9800998ecf8427e"}, f"identify.email is a hash of another kind; allowed: {_EMAIL}"),
    ({"email": _HASH_OF_NOTHING}, "identify.email is the hash of an empty value; allowed: the hash of a value"),
    ({"email": ["a@b.example", 5]}, f"identify.email[1] is of type int; allowed: {_EMAIL}"),
    (
        {"email": [f"a{number}@b.example" for number in range(11)]},
        "identify.email is 11 values; allowed: 10; the rest is left out",
    ),
    ({"email": "\ud800@b.example"}, f"identify.email is a str with half a character; allowed: {_EMAIL}"),
    ({"email": Sly()}, "identify.email is a value that raised when it was read; allowed: a str"),
    ({"phone": "call me"}, f"identify.phone is a str that is no phone number; allowed: {_PHONE}, or its SHA-256"),
    (
        {"phone": "0170 1234567"},
        f"identify.phone is a national number; allowed: {_PHONE}, or set TIKTOK_PHONE_REGION",
    ),
    ({"phone": "+999 123456"}, f"identify.phone is a number that no country has; allowed: {_PHONE}"),
    ({"phone": "+49 12"}, f"identify.phone is a number with too few or too many digits; allowed: {_PHONE}"),
    (
        {"external_id": "None"},
        "identify.external_id is a word for nobody; allowed: your own id of the person as str or int",
    ),
    (
        {"first_name": "a@b.example"},
        "identify.first_name is an e-mail address, it seems; allowed: a name, or its SHA-256",
    ),
    ({"last_name": "..."}, "identify.last_name is a str without letters; allowed: a name, or its SHA-256"),
    ({"zip_code": 12345}, f"identify.zip_code is of type int; allowed: {_ZIP}"),
    ({"zip_code": "1"}, f"identify.zip_code is a str with 1 letters and digits; allowed: {_ZIP}"),
    ({"city": "0" * 64}, "identify.city is a hash; allowed: a plain name or code, not hashed"),
    (
        {"city": "Main Street 12345"},
        "identify.city is a str that holds more than a place's name; allowed: a plain name or code, not hashed",
    ),
    ({"state": "--"}, "identify.state is a str without letters; allowed: a plain name or code, not hashed"),
    (
        {"country": "Germany"},
        "identify.country is a str of 7 characters; allowed: a two-letter ISO 3166 code such as 'us'",
    ),
    (
        {"country": "D1"},
        "identify.country is a str with other characters than letters; allowed: a two-letter ISO 3166 code such as 'us'",
    ),
    ({"phone_number": "x"}, "identify.phone_number is no field of identify(); allowed: phone"),
    ({"emial": "x"}, "identify.emial is no field of identify(); allowed: email"),
    (
        {"ttclid": "x"},
        "identify.ttclid is no field of identify(); allowed: nothing: the middleware reads it itself",
    ),
    ({"favourite": "x"}, f"identify.favourite is no field of identify(); allowed: {_FIELDS}"),
    ({"x-y": "z"}, f"identify is given a key that is no name; allowed: {_FIELDS}"),
]

SNAPSHOTS: list[tuple[Any, str]] = [
    ("500", "max_chars is of type str; allowed: a whole number of characters above 0, such as 500"),
    (0, "max_chars is 0; allowed: a whole number of characters above 0, such as 500"),
    (10, "max_chars is 10; allowed: at least 63"),
]

JOBS: list[tuple[dict[str, Any], str]] = [
    ({"source": "shop"}, "source is none of them; allowed: 'web', 'offline', 'crm'"),
    ({"source": "crm"}, "source is 'crm' without TIKTOK_CRM_ID; allowed: 'crm' with TIKTOK_CRM_ID set"),
    ({"lead_id": ""}, f"lead_id is a str of 0 characters; allowed: {_LEAD}"),
    ({"lead_id": "null"}, f"lead_id is a word for a missing value; allowed: {_LEAD}"),
    ({"lead_id": -1}, f"lead_id is of type int; allowed: {_LEAD}"),
    ({"lead_event_source": ["HubSpot"]}, f"lead_event_source is of type list; allowed: {_LEAD}"),
    ({"consent": "perhaps"}, "consent is of type str; allowed: True, False or None"),
    ({"url": "shop.example"}, "url is a str of 12 characters; allowed: an absolute http or https address"),
    (
        {"ttclid": "a b"},
        "ttclid is a str of 3 characters; allowed: TikTok's click id, as the landing page's URL has it",
    ),
    ({"ttp": "short"}, "ttp is a str of 5 characters; allowed: the value of the _ttp cookie"),
    ({"ip": 5}, "ip is of type int; allowed: an IPv4 or IPv6 address"),
    ({"user_agent": "a\nb"}, "user_agent is a str of 3 characters; allowed: the text of the User-Agent header"),
]


@lru_cache
def _strict(**options: Any) -> Runtime:
    return runtime_of(strict=True, **options)


def _said(call: Callable[[], object]) -> str:
    with pytest.raises(EventError) as caught:
        call()
    assert str(caught.value) == f"{caught.value.field} is {caught.value.found}; allowed: {caught.value.allowed}"
    return str(caught.value)


MARKUP: list[tuple[dict[str, Any], str]] = [
    ({"on": "hover"}, "on is another word; allowed: load, click, submit"),
    (
        {"contents": [{"content_id": sha256(bytes([number])).hexdigest()} for number in range(250)]},
        "properties is too large to be confirmed by a browser; allowed: about 8 KB in all",
    ),
    ({"cached_s": "an hour"}, "cached_s is of type str; allowed: a number of seconds"),
]


def _calls() -> Iterator[tuple[Callable[[], object], str]]:
    for name, message in NAMES:
        yield partial(_track, name), message
    for name, message in CRM_NAMES:
        yield partial(_track_stage, name), message
    yield (
        partial(_track, "Purchase", order_id="null"),
        "properties.order_id is a word for a missing value; allowed: the order's own id",
    )
    yield (
        lambda: _job().track("Lead", once_per="visit"),
        "once_per is 'visit' without a request; allowed: once=..., by a key of your own",
    )
    for options, message in ARGUMENTS:
        yield partial(_track, "Lead", **options), message
    for properties, message in PROPERTIES:
        yield partial(_track, "Lead", properties), message
    for fields, message in IDENTITY:
        yield partial(_identify, fields), message
    for max_chars, message in SNAPSHOTS:
        yield partial(_snapshot, max_chars), message
    for given, message in JOBS:
        yield partial(_job, **given), message
    for given, message in MARKUP:
        yield partial(_markup, **given), message
    yield (
        partial(_track, "Lead", NoMapping(), value=1),
        "properties is a mapping that raised when it was read; allowed: a dict",
    )
    yield (
        lambda: _job(source="offline", offline_id="7").track("Mine"),
        "event is no standard event; allowed: a standard event: offline takes no other",
    )
    yield (
        partial(_track, "Lead", connection=object()),
        f"connection is given, but the outbox is elsewhere; allowed: {_DRAFTS}",
    )
    yield _track_in_file, "connection is of type _NoConnection; allowed: a connection to that database"


class _NoConnection:
    """What a view passes by mistake."""


class _Drafts:
    """Takes connections to one database only."""

    def refusal(self, _connection: object) -> str:
        return "a connection to that database"


def _track_in_file() -> None:
    runtime = runtime_of(strict=True)
    runtime.drafts = lambda: cast("DraftWriter", _Drafts())
    tracker_of(runtime).track("Lead", connection=_NoConnection())


def _track(*given: Any, **options: Any) -> None:
    tracker_of(_strict()).track(*given, **options)


def _track_stage(name: Any) -> None:
    _job(source="crm", crm_id="7", lead_id="1").track(name)


def _markup(**given: Any) -> None:
    tracker_of(_strict()).markup("Lead", **given)


def _snapshot(max_chars: Any) -> None:
    tracker_of(_strict()).snapshot(max_chars)


def _identify(fields: Mapping[str, object]) -> None:
    if isinstance(fields, Raises):  # identify() would unpack it
        _, problems = read_identity(fields, phone_region=None)
        raise problems[0]
    tracker_of(_strict()).identify(**fields)


def _job(*, source: Any = "web", consent: Any = None, **given: Any) -> Any:
    context = Context(**{field: given.pop(field) for field in Context._fields if field in given})
    return server_tracker(_strict(**given), None, source=source, consent=consent, context=context)


CALLS = list(_calls())


@pytest.mark.parametrize(("call", "message"), CALLS, ids=[message[:60] for _, message in CALLS])
def test_it_is_told_what_is_wrong_and_what_is_right(call: Callable[[], object], message: str) -> None:
    assert _said(call) == message


def test_no_message_repeats_what_was_given() -> None:
    secrets = ("someone@shop.example", "a@b.example", "0170 1234567", "Main Street", "x" * 20, "EUR 5", "call me")
    for _, message in CALLS:
        assert not any(secret in message for secret in secrets), message


CORE = Path(__file__).parents[3] / "tiktok_middleware" / "core"
_REFUSING = {"EventError", "Refusal", "UnusableValue", "BudgetSpent", "refuse"}
_ANSWERS = "report.py"  # refuses posts, by a status


def _places() -> set[tuple[str, int]]:
    """File and first line of each call that refuses something."""
    found = set()
    for path in (path for path in CORE.rglob("*.py") if path.name != _ANSWERS):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Call):
                name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
                if name in _REFUSING:
                    found.add((path.name, node.lineno))
    return found


def test_every_place_that_refuses_something_is_in_a_table() -> None:
    places = _places()
    files = {name for name, _ in places}
    seen: set[tuple[str, int]] = set()

    def trace(frame: FrameType, _event: str, _arg: object) -> Any:
        path = Path(frame.f_code.co_filename)
        if path.name not in files or CORE not in path.parents:
            return None
        seen.add((path.name, frame.f_lineno))
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        for call, message in CALLS:
            assert _said(call) == message
    finally:
        sys.settrace(before)
    assert len(places) > 60
    assert sorted(places - seen) == []
