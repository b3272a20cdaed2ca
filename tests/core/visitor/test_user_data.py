"""An identity holds what TikTok can match, hashed by TikTok's own rules, and nothing readable."""

from __future__ import annotations

import hashlib
import io
from typing import Any
from uuid import UUID

import msgspec
import pytest
import rich.console
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.strategies import examples
from tiktok_middleware.core.visitor.user_data import Identity, read_identity
from tiktok_middleware.errors import EventError

ALICE = "848a771458438fc2ec420560d769fb9b9b86851ee338ec56517baabd79d3bb4f"
PHONE = "9f7ec22d72092cd3c0b58726ed9c2d91b92e51a3f29837508fb2948bb22dd2fd"
USER_123 = "80fba0ae1c48e3978e43e4efc365e14e12ea0c830ba8ba5b9a2dafc7e3f2ab8b"
NOTHING = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"


def sha(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def known(phone_region: str | None = None, /, **fields: object) -> dict[str, Any]:
    """The server's ``user`` keys of fields without errors."""
    identity, errors = read_identity(fields, phone_region=phone_region)
    assert errors == []
    return identity.user()


def refused(phone_region: str | None = None, /, **fields: object) -> EventError:
    """The error of a field that is refused."""
    identity, (error,) = read_identity(fields, phone_region=phone_region)
    assert not identity
    return error


@pytest.mark.parametrize(
    ("field", "given_value", "sent"),
    [
        ("email", " ALICE_abc@gmail.com ", ALICE),
        ("phone", "(+1)2133734253", PHONE),
        ("external_id", "user_123", USER_123),
        ("external_id", "helloworld", "936a185caaa266bb9cbe981e9e05cb78cd732b0b3280eb944412bb6f8f8f07af"),
        ("phone", "+8613800000000", "cc0058bc7784ae0358acf0c091025c7a69d400e148d8688badfa029c9f8c686e"),
    ],
)
def test_tiktoks_own_examples_give_tiktoks_own_hashes(field: str, given_value: str, sent: str) -> None:
    assert known(**{field: given_value}) == {field: sent}


@pytest.mark.parametrize(
    ("given_value", "hashed"),
    [
        ("Bob.Smith+shop@Example.COM", "bob.smith+shop@example.com"),
        ("\u200bbob@example.com\ufeff", "bob@example.com"),
        ("bob@münchen.example", "bob@münchen.example"),
        ("bob@mu\u0308nchen.example", "bob@münchen.example"),
        ("o'hara@mail.example.co.uk", "o'hara@mail.example.co.uk"),
    ],
)
def test_an_email_is_trimmed_and_lower_cased_and_otherwise_kept(given_value: str, hashed: str) -> None:
    assert known(email=given_value) == {"email": sha(hashed)}


@pytest.mark.parametrize(
    "value",
    [
        "bob",
        "bob@",
        "@example.com",
        "bob@@example.com",
        "bob@localhost",
        "bob smith@example.com",
        "Bob <bob@example.com>",
        "bob@example.com, eve@example.com",
        "bob@example..com",
        "bob@-",
        "x" * 65 + "@example.com",
        "b" * 400,
        "d41d8cd98f00b204e9800998ecf8427e",
        b"bob@example.com",
        7,
        True,
        {"a": 1},
    ],
)
def test_what_is_no_email_is_refused_without_repeating_it(value: object) -> None:
    error = refused(email=value)
    assert error.field == "identify.email"
    assert "bob" not in str(error)
    assert "eve" not in str(error)


@pytest.mark.parametrize(
    ("value", "region", "e164"),
    [
        ("+1 (213) 373-4253", None, "+12133734253"),
        ("+44 (0)7911 123456", None, "+447911123456"),
        ("0044 7911 123456", None, "+447911123456"),
        ("0044 (0) 7911 123456", "US", "+447911123456"),
        ("+4901701234567", None, "+491701234567"),
        ("0170 1234567", "DE", "+491701234567"),
        ("0170/123 45-67", "de", "+491701234567"),
        ("07911 123456", "GB", "+447911123456"),
        ("011 44 7911 123456", "US", "+447911123456"),
        ("213.373.4253", "US", "+12133734253"),
        (2133734253, "US", "+12133734253"),
        ("+39 06 6981 2345", None, "+390669812345"),
        ("\uff0b1 213 373 4253", None, "+12133734253"),
        ("tel:+1-213-373-4253", None, "+12133734253"),
        ("+1 213 373 4253 ext. 5", None, "+12133734253"),
        ("\u202a+1 213 373 4253\u202c", None, "+12133734253"),
        ("\u0660\u0661\u0667\u0660 \u0661\u0662\u0663\u0664\u0665\u0666\u0667", "DE", "+491701234567"),
        ("00 49 170 1234567", "AT", "+491701234567"),
    ],
)
def test_a_phone_number_becomes_e164_with_its_plus(value: object, region: str | None, e164: str) -> None:
    assert known(region, phone=value) == {"phone": sha(e164)}


@pytest.mark.parametrize(
    ("value", "region", "reason"),
    [
        ("0170 1234567", None, "TIKTOK_PHONE_REGION"),
        (12133734253, None, "TIKTOK_PHONE_REGION"),
        ("+1 213", None, "too few or too many digits"),
        ("+1 213 373 4253 999 999", None, "too few or too many digits"),
        ("+999 123456789", None, "no country has"),
        ("00", "DE", "no phone number"),
        ("call me", "DE", "no phone number"),
        ("1-800-FLOWERS", "US", "no phone number"),
        ("0170 1234567", "XX", "no country has"),
        ("((((((((", "DE", "no country has"),
        (True, "DE", "of type bool"),
        (1.5, "DE", "of type float"),
        (-5, "DE", "no phone number"),
        ("1" * 65, "DE", "65 characters"),
    ],
)
def test_a_phone_number_that_cannot_be_right_is_refused_with_the_reason(
    value: object, region: str | None, reason: str
) -> None:
    error = refused(region, phone=value)
    assert reason in str(error)
    assert error.field == "identify.phone"


@pytest.mark.parametrize(
    ("value", "hashed"),
    [(" User-9 ", "User-9"), (9, "9"), (UUID(int=9), "00000000-0000-0000-0000-000000000009"), ("a b", "a b")],
)
def test_an_external_id_keeps_its_case(value: object, hashed: str) -> None:
    assert known(external_id=value) == {"external_id": sha(hashed)}


@pytest.mark.parametrize("value", ["None", "null", "AnonymousUser", "undefined", 1.5, False, b"9", "x" * 501, "\ud800"])
def test_what_is_nobodys_id_is_refused(value: object) -> None:
    assert refused(external_id=value).field == "identify.external_id"


@pytest.mark.parametrize(
    ("value", "hashed"),
    [
        ("José", "josé"),
        ("Jose\u0301", "josé"),
        (" O'Brien-Smith, Jr. ", "obriensmithjr"),
        ("O\u2019Brien", "obrien"),
        ("O\u00b4Brien", "obrien"),
        ("Ана Мария", "анамария"),
        ("山田・太郎", "山田太郎"),
        ("अनिल", "अनिल"),
    ],
)
def test_a_name_loses_case_space_and_punctuation_of_any_script(value: str, hashed: str) -> None:
    assert known(first_name=value, last_name=value) == {"first_name": sha(hashed), "last_name": sha(hashed)}


@pytest.mark.parametrize("value", ["---", "bob@example.com", 7, ["Bob"], "x" * 201])
def test_what_is_no_name_is_refused(value: object) -> None:
    assert "bob" not in str(refused(first_name=value))


@pytest.mark.parametrize(
    ("value", "hashed"),
    [("94105-1234", "941051234"), ("SW1A 1AA", "sw1a1aa"), ("01067", "01067"), ("〒100\u20130001", "1000001")],
)
def test_a_zip_code_loses_spaces_and_dashes(value: str, hashed: str) -> None:
    assert known(zip_code=value) == {"zip_code": sha(hashed)}


@pytest.mark.parametrize("value", [1067, "-", "1", "x" * 13])
def test_what_is_no_zip_code_is_refused(value: object) -> None:
    assert refused(zip_code=value).field == "identify.zip_code"


def test_city_state_and_country_are_normalised_and_readable() -> None:
    assert known(city=" São Paulo ", state="New South-Wales", country="AU") == {
        "city": "sãopaulo",
        "state": "newsouthwales",
        "country": "au",
    }
    assert known(city="St. Gallen", state="CA") == {"city": "stgallen", "state": "ca"}
    assert known(city="東京") == {"city": "東京"}


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("city", "bob@example.com"),
        ("city", "Main Street 12, 12345"),
        ("state", "+49 170 1234567"),
        ("city", ALICE),
        ("state", "d41d8cd98f00b204e9800998ecf8427e"),
        ("city", "..."),
        ("city", 7),
        ("country", "Germany"),
        ("country", "USA"),
        ("country", "49"),
        ("country", "ÄÖ"),
        ("country", 1),
    ],
)
def test_a_readable_field_takes_nothing_but_a_place(field: str, value: object) -> None:
    assert refused(**{field: value}).field == f"identify.{field}"


@pytest.mark.parametrize("field", ["email", "phone", "external_id", "first_name", "last_name", "zip_code"])
def test_a_hash_passes_in_lower_case_and_that_of_nothing_is_refused(field: str) -> None:
    assert known(**{field: f" {ALICE.upper()} "}) == {field: ALICE}
    assert "empty" in str(refused(**{field: NOTHING.upper()}))


@pytest.mark.parametrize(
    "field",
    ["email", "phone", "external_id", "first_name", "last_name", "city", "state", "country", "zip_code"],
)
@pytest.mark.parametrize("value", [None, "", "  ", "\u200b\n"])
def test_an_empty_value_says_nothing(field: str, value: object) -> None:
    assert known(**{field: value}) == {}


def test_several_values_are_sent_as_a_list_each_once() -> None:
    identity, errors = read_identity(
        {"email": ["a@b.co", None, " A@B.CO", "c@d.co", "bad"], "phone": ("+12133734253",), "external_id": {"9"}},
        phone_region=None,
    )
    assert identity.user() == {"email": [sha("a@b.co"), sha("c@d.co")], "phone": PHONE, "external_id": sha("9")}
    assert [error.field for error in errors] == ["identify.email[4]"]


def test_ten_values_are_the_most() -> None:
    identity, (error,) = read_identity({"external_id": list(range(1, 13))}, phone_region=None)
    assert len(identity.external_id) == 10
    assert error.found == "12 values"


@pytest.mark.parametrize(
    ("wrong", "right"),
    [
        ("phone_number", "phone"),
        ("click_id", "nothing: the middleware reads it itself"),
        ("_ttp", "nothing: the middleware reads it itself"),
        ("emial", "email"),
        ("Email", "email"),
        ("firstName", "first_name"),
        ("zip", "zip_code"),
        ("user_id", "external_id"),
        ("name", "first_name and last_name"),
    ],
)
def test_a_misspelt_field_is_reported_with_the_right_one(wrong: str, right: str) -> None:
    error = refused(**{wrong: "bob@example.com"})
    assert (error.field, error.allowed) == (f"identify.{wrong}", right)


@pytest.mark.parametrize("key", ["shoe_size", "bob@example.com", 3, None, "x" * 60])
def test_an_unknown_field_is_reported_with_all_there_are(key: Any) -> None:
    _, (error,) = read_identity({key: "x"}, phone_region=None)
    assert error.allowed.startswith("email, phone, external_id")
    assert "bob" not in str(error)


def test_the_pixel_gets_its_own_names_and_the_first_of_several() -> None:
    identity, _ = read_identity(
        {
            "email": ["a@b.co", "c@d.co"],
            "phone": "+12133734253",
            "external_id": 9,
            "first_name": "Bob",
            "last_name": "Smith",
            "city": "Paris",
            "state": "TX",
            "country": "US",
            "zip_code": "75460",
        },
        phone_region=None,
    )
    assert identity.pixel() == {
        "sha256_email": sha("a@b.co"),
        "sha256_phone_number": PHONE,
        "external_id": sha("9"),
        "first_name": sha("bob"),
        "last_name": sha("smith"),
        "city": "paris",
        "state": "tx",
        "country": "us",
        "zip_code": sha("75460"),
    }


def test_the_newer_of_two_identities_is_believed_field_by_field() -> None:
    old, _ = read_identity({"email": "a@b.co", "city": "Rome", "external_id": 1}, phone_region=None)
    new, _ = read_identity({"email": "c@d.co", "country": "IT"}, phone_region=None)
    assert old.merged(new).user() == {
        "email": sha("c@d.co"),
        "city": "rome",
        "external_id": sha("1"),
        "country": "it",
    }
    assert old.merged(Identity()) == old
    assert Identity().merged(new) == new


def test_an_identity_is_true_when_it_knows_something() -> None:
    assert not Identity()
    assert Identity(city="rome")
    assert Identity(email=(ALICE,))


def test_an_identity_shows_the_names_of_its_fields_only() -> None:
    identity = Identity(email=(ALICE,), city="rome")
    assert repr(identity) == "Identity(email=..., city=...)"
    shown = io.StringIO()
    rich.console.Console(file=shown, width=200).print(identity)
    assert "rome" not in shown.getvalue()
    assert ALICE[:8] not in shown.getvalue()


def test_an_identity_survives_a_round_trip_through_json() -> None:
    identity = Identity(email=(ALICE, PHONE), city="rome")
    encoded = msgspec.json.encode(identity)
    assert msgspec.json.decode(encoded, type=Identity) == identity
    assert b"last_name" not in encoded


class Broken:
    def items(self) -> list[tuple[str, object]]:
        raise RuntimeError("bob@example.com")


class Lopsided:
    def items(self) -> list[object]:
        return ["bob@example.com"]


@pytest.mark.parametrize("fields", [Broken(), Lopsided(), None, "bob@example.com"])
def test_what_is_no_mapping_is_reported(fields: Any) -> None:
    identity, (error,) = read_identity(fields, phone_region=None)
    assert not identity
    assert "bob" not in str(error)


def test_a_value_that_raises_is_reported_without_what_it_raised() -> None:
    _, (error,) = read_identity({"phone": "0170 1234567"}, phone_region=49)  # type: ignore[arg-type]
    assert error.found == "a value that raised when it was read"
    assert error.__context__ is None


MAIL = st.from_regex(r"[A-Za-z]{8,12}@[A-Za-z]{8,12}\.(com|de)", fullmatch=True)
WORD = st.text(st.characters(categories=["L"]), min_size=8, max_size=20)


@settings(deadline=None)
@given(MAIL, st.integers(2_000_000_000, 9_999_999_999), WORD, WORD, st.from_regex(r"[0-9]{8}", fullmatch=True))
def test_no_raw_value_remains_anywhere(mail: str, number: int, first: str, own_id: str, code: str) -> None:
    identity, errors = read_identity(
        {"email": mail, "phone": f"+1{number}", "first_name": first, "external_id": own_id, "zip_code": code},
        phone_region=None,
    )
    told = repr((identity.user(), identity.pixel(), identity, errors, msgspec.json.encode(identity)))
    for raw in (mail, mail.lower(), str(number), first, own_id, code):
        assert raw not in told


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.binary() | st.text(st.characters()) | MAIL,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)
FIELDS = ["email", "phone", "external_id", "first_name", "last_name", "city", "state", "country", "zip_code", "zip"]


@settings(max_examples=examples(300), deadline=None)
@given(
    st.dictionaries(st.sampled_from(FIELDS) | st.text(st.characters()), ANYTHING, max_size=6),
    st.sampled_from([None, "DE", "US", "xx", ""]),
)
def test_anything_becomes_hashes_or_errors_without_frames(fields: dict[str, object], region: str | None) -> None:
    identity, errors = read_identity(fields, phone_region=region)
    for name, value in identity.user().items():
        if name not in {"city", "state", "country"}:
            for one in [value] if isinstance(value, str) else value:  # type: ignore[attr-defined]
                assert len(one) == 64
                assert one != NOTHING
                assert set(one) <= set("0123456789abcdef")
    for error in errors:
        assert isinstance(error, EventError)
        assert error.__traceback__ is None
        assert error.__context__ is None


SEPARATORS = st.lists(st.sampled_from(["", " ", "-", ".", "/", "(", ")", "\u00a0", "\u2011"]), min_size=10, max_size=10)


@settings(deadline=None)
@given(SEPARATORS)
def test_a_number_is_the_same_however_it_is_grouped(separators: list[str]) -> None:
    text = "".join(digit + between for digit, between in zip("2133734253", separators, strict=True))
    assert known("US", phone=text) == {"phone": PHONE}


@pytest.mark.parametrize(
    ("value", "region", "e164"),
    [
        # German mobile numbers without a plus
        ("4915112345678", "DE", "+4915112345678"),
        ("491701234567", "DE", "+491701234567"),
        ("49 151 1234 5678", "DE", "+4915112345678"),
        (4915112345678, "DE", "+4915112345678"),
        (4915112345678.0, "DE", "+4915112345678"),
        ("4915112345678", None, "+4915112345678"),
        ("4915112345678", "AT", "+4915112345678"),
        # a spreadsheet has lost the zero, or the plus
        ("15112345678", "DE", "+4915112345678"),
        (15112345678, "DE", "+4915112345678"),
        # others without a plus
        ("436641234567", "AT", "+436641234567"),
        ("436641234567", "DE", "+436641234567"),
        ("447911123456", "GB", "+447911123456"),
        ("447911123456", "DE", "+447911123456"),
        ("447911123456", None, "+447911123456"),
        ("5511987654321", "BR", "+5511987654321"),
        # national numbers stay national
        ("015112345678", "DE", "+4915112345678"),
        ("030 123456", "DE", "+4930123456"),
        ("04915 123456", "DE", "+494915123456"),
        ("2133734253", "US", "+12133734253"),
        ("12133734253", "US", "+12133734253"),
        ("13812345678", "CN", "+8613812345678"),
    ],
)
def test_a_number_with_its_country_code_needs_no_plus(value: object, region: str | None, e164: str) -> None:
    assert known(region, phone=value) == {"phone": sha(e164)}


@pytest.mark.parametrize("number", ["2133734253", "12133734253", "015112345678", "13812345678"])
def test_a_number_that_may_be_national_is_refused_without_a_region(number: str) -> None:
    assert refused(phone=number).found == "a national number"


@pytest.mark.parametrize("mark", ["\u200b", "\u200c", "\u200d", "\u2060", "\ufeff", "\u00ad", "\u202a", "\u200e"])
def test_marks_that_nobody_sees_are_not_hashed(mark: str) -> None:
    """They come along when an address is copied from a document or a chat."""
    for text in (f"{mark}bob@example.com", f"bob{mark}@example.com", f"bob@exam{mark}ple.com{mark}"):
        assert known(email=text) == {"email": sha("bob@example.com")}
    assert known(external_id=f"u{mark}-7") == {"external_id": sha("u-7")}
    assert known(phone=f"+49{mark}15112345678") == {"phone": sha("+4915112345678")}
    assert known(first_name=f"A{mark}da") == {"first_name": sha("ada")}


@pytest.mark.parametrize(
    "word",
    [
        "0",
        "-1",
        "null",
        "NULL",
        "undefined",
        "None",
        "nan",
        "guest",
        "Guest",
        "anonymous",
        "AnonymousUser",
        "n/a",
        "-",
        "{{ user.id }}",
        "{user_id}",
        "${user.id}",
        "__USER_ID__",
        "%%USERID%%",
        "[user_id]",
        "<user_id>",
        "(not set)",
    ],
)
def test_a_word_for_nobody_is_no_external_id(word: str) -> None:
    assert refused(external_id=word).found == "a word for nobody"
    assert refused(external_id=[word]).found == "a word for nobody"


@pytest.mark.parametrize("own", ["00", "10", "guest1", "null-7", "x0", "None of the above", "__a", "a__b__c", "100%"])
def test_an_id_that_only_resembles_one_is_hashed(own: str) -> None:
    assert known(external_id=own) == {"external_id": sha(own)}


def test_only_the_allowed_fields_are_kept() -> None:
    identity, _ = read_identity(
        {"email": ["a@b.co", "c@d.co"], "external_id": "u-7", "city": "Rome"}, phone_region=None
    )
    assert set(identity.limited_to({"email"}).user()) == {"email"}
    assert identity.limited_to(set()).user() == {}
    assert identity.limited_to({"email", "external_id", "city", "phone"}) == identity
