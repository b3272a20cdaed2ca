"""The server channel tells where a page was, never who was on it; and no page that would tell it loads the pixel."""

from __future__ import annotations

from functools import partial
from urllib.parse import quote, urlsplit

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.strategies import examples
from tests.timing import least_s
from tiktok_middleware.core.visitor.url_redaction import holds_identity, server_address

CLICK = "E.C.P.CrsBm1-Yk_3x8" + "aB3-_." * 100
JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.SflKxwRJSMeKKF2QT4fwpMeJf36POk6yJV_adQssw5c"


@pytest.mark.parametrize(
    "url",
    [
        "https://shop.example",
        "https://shop.example/",
        "http://localhost:8000/cart",
        "https://192.168.1.20:8443/a",
        "https://[2001:db8::1]:8443/a/",
        "https://shop.example/en/products/running-shoes-blue-42.html",
        "https://shop.example/orders/1001234567/thanks",
        "https://shop.example/p/4006381333931",
        "https://shop.example/dp/B08N5WRWNW",
        "https://shop.example/item/1005006123456789",
        "https://shop.example/blog/2024-05-01/10-best-256-512-1024",
        "https://shop.example/order/302-1234567-7654321",
        "https://shop.example/o/12345678-1234-5678-1234-567812345678",
        "https://shop.example/obj/507f1f77bcf86cd799439011",
        "https://shop.example/@maker/react@18.2.0",
        "https://shop.example/caf%C3%A9/50%25-off",
        "https://shop.example/a%2Fb/(c)/d,e",
        "https://shop.example//double//slash",
        "https://shop.example/p/00000000000000000000123",
        "https://shop.example/donaudampfschifffahrtsgesellschaft",
        f"https://shop.example/p/1?ttclid={CLICK}",
        "https://shop.example/?utm_source=tiktok&utm_medium=paid&utm_campaign=Summer%20Sale&utm_id=1789012345678901",
        "https://shop.example/?utm_content=blue+shoes+20240501",
    ],
)
def test_an_address_that_tells_nobody_passes_and_its_page_loads_the_pixel(url: str) -> None:
    assert server_address(url) == url
    assert holds_identity(url) is False


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("https://shop.example/p?page=2&sort=price", "https://shop.example/p"),
        ("https://shop.example/p?q=shoes&utm_source=x&id=3", "https://shop.example/p?utm_source=x"),
        ("https://shop.example/p?gclid=1&fbclid=2", "https://shop.example/p"),
        ("https://shop.example/p?", "https://shop.example/p"),
        ("https://shop.example/p#top", "https://shop.example/p"),
        ("https://shop.example/p?utm_source=x#access_token=1", "https://shop.example/p?utm_source=x"),
        ("HTTPS://Shop.example/p", "https://Shop.example/p"),
        ("https://shop.example/cart;jsessionid=1A2B3C?x=1", "https://shop.example/cart"),
        ("https://shop.example/p?%75tm_source=x", "https://shop.example/p?utm_source=x"),
        ("https://shop.example/p?utm_source", "https://shop.example/p?utm_source="),
        ("https://shop.example/p?utm_<b>=x", "https://shop.example/p"),
        ('https://shop.example/ä b"<', "https://shop.example/%C3%A4%20b%22%3C"),
        ("https://bücher.example:8000/a", "https://xn--bcher-kva.example:8000/a"),
        ("https://münchen.example/a", "https://xn--mnchen-3ya.example/a"),
        ("https://shop.example/p?ttclid=a%2Db", "https://shop.example/p?ttclid=a-b"),
        ("https://shop.example/p?ttclid=" + "x" * 1001, "https://shop.example/p"),
        ("https://shop.example/p?ttclid=bob@example.com", "https://shop.example/p"),
        ("https://shop.example/p?ttclid=", "https://shop.example/p"),
    ],
)
def test_the_rest_of_the_query_and_the_fragment_go(url: str, told: str) -> None:
    assert server_address(url) == told


@pytest.mark.parametrize(
    "url",
    [
        "https://user:pass@shop.example/p",
        "https://bob@example.com@shop.example/p",
        "https://user:pa@ss@shop.example/p#x",
    ],
)
def test_user_and_password_go(url: str) -> None:
    assert server_address(url) == "https://shop.example/p"


@pytest.mark.parametrize(
    "url",
    ["", "/p", "p", "//shop.example/p", "ftp://shop.example/", "javascript:alert(1)", "https://", "https:///p",
     "https://shop.example\\@evil.example/", "https://sh op.example/", "https://shop.example:port/", "https://\ud800/", "https://ü..example/",
     "https://" + "a" * 254, "https://" + "ü" * 80 + ".example", "about:blank"],
)  # fmt: skip
def test_what_is_no_web_address_is_not_told(url: str) -> None:
    assert server_address(url) == ""


HONEST_CAMPAIGNS = [
    "utm_campaign=TK+-+2026-11-30",
    "utm_campaign=DE+%7C+30.11.2026",
    "utm_campaign=DE+|+30.11.2026+-+05.12.2026",
    "utm_campaign=+2026-11-30",
    "utm_campaign=%2B+2026-11-30",
    "utm_campaign=%2B30.11.2026",
    "utm_campaign=11%2F30%2F2026+%2B+retargeting",
    "utm_campaign=Q4+20261130+%2B20261231",
    "utm_campaign=BF%252B2026-11-30",
    "utm_campaign=KW+48+-+2026+-+1234567",
    "utm_content=Spark+@jane.doe+v1",
    "utm_content=Spark+%40jane.doe+v1",
    "utm_content=Spark_@jane.doe_v1",
    "utm_content=%F0%9F%94%A5@jane.doe",
    "utm_content=via%3A%40jane.doe.official%7Cv2",
    "utm_content=react@18.2.0-rc.beta",
    "utm_content=banner@2x.v9d3fdb8",
    "utm_id=4111111111111111",
    "utm_term=213-373-4253",
    "utm_term=0151+23456789",
    "utm_term=C%2B%2B+11+and+14",
]


@pytest.mark.parametrize("pair", HONEST_CAMPAIGNS)
def test_campaign_with_date_handle_or_number_keeps_pixel_and_value(pair: str) -> None:
    url = f"https://shop.example/?utm_source=tiktok&{pair}"
    assert holds_identity(url) is False
    assert "redacted" not in server_address(url)
    assert holds_identity(f"https://shop.example/?next={quote(f'/x?{pair}', safe='')}") is False


@pytest.mark.parametrize(
    "target",
    [
        "/stats?daterange=2024-01-01+-+2025-03-30",
        "/@jane.doe/video/7234567890123456789",
        "/creators/@jane.doe.official",
        "/TK+-+2026-11-30/",
        "/orders/4111111111111111/thanks",
        "/p?mobile_theme=1234567",
        "/p?headphone=12345678&smartphone_no=20261130",
        "/p?phone=2026-11-30",
        "/p?birthday=true&tel=&contact=yes",
        "/p?campaign_name=Summer&product_name=Mug&username=bob99",
        "/p?token=dGhpcyBpcyBub2JvZHk&key=Ym9iLnNlY3JldA",
    ],
)
def test_honest_address_keeps_pixel(target: str) -> None:
    assert holds_identity(target) is False


@pytest.mark.parametrize(
    "target",
    [
        "/?utm_content=jane.doe%40example.com",
        "/?phone=%2B49+151+23456789",
        "/?phone=+49+151+23456789",
        "/news?e=Ym9iLnNlY3JldEBleGFtcGxlLmNvbQ%3D%3D",
        "/news?e=Ym9iLnNlY3JldEBleGFtcGxlLmNvbQ",
        "/u/v1_Ym9iLnNlY3JldEBleGFtcGxlLmNvbQ/x",
        "/news?e=KzQ5MTUxMjM0NTY3ODk%3D",
        "/news?d=eyJlbWFpbCI6ICJib2JAZXhhbXBsZS5jb20ifQ==",
        "/?e=0LjQstCw0L1A0L_RgNC40LzQtdGALtGA0YQ",
        "/u/%2B49%20151%2023456789",
        "/u/+1+213-373-4253",
        "/?q=jane.doe%EF%BC%A0example%EF%BC%8Ecom",
        "/?q=%EF%BC%8B%EF%BC%94%EF%BC%99%EF%BC%91%EF%BC%95%EF%BC%91%EF%BC%92%EF%BC%93%EF%BC%94%EF%BC%95%EF%BC%96",
        "/?tel=%D9%A0%D9%A5%D9%A1%D9%A2%D9%A3%D9%A4%D9%A5%D9%A6%D9%A7",
        "/?data=%7B%22first_name%22%3A%22Bob%22%7D",
        "/?shipping[recipientName]=Bob",
        "/?card=4111+1111+1111+1111",
    ],
)
def test_encoded_identity_keeps_pixel_away(target: str) -> None:
    assert holds_identity(target) is True


@pytest.mark.parametrize(
    "word", ["KzQ0MTIxMjM0NTk4Nw", "Ym9iQGV4YW1wbGUuY29t", "NDExMTExMTExMTExMTExMQ", "v1-KzQ0MTIxMjM0NTk4Nw"]
)
def test_short_base64_is_redacted_in_every_place(word: str) -> None:
    assert server_address(f"https://shop.example/u/{word}/orders") == "https://shop.example/u/redacted/orders"
    assert server_address(f"https://shop.example/?utm_term={word}") == "https://shop.example/?utm_term=redacted"
    assert server_address(f"https://shop.example/p?ttclid={word}") == "https://shop.example/p"


PERSONAL = [
    "bob@example.com",
    "bob%40example.com",
    "bob%2540example.com",
    "bob%252540example.com",
    "BOB.SMITH%2Bshop@mail.example.co.uk",
    "mailto:bob@example.com",
    "bob\uff20example.com",
    "bob%EF%BC%A0example.com",
    "böb@exämple.com",
    "+491701234567",
    "%2B49%20170%201234567",
    "tel:+1-213-373-4253",
    "+1%20(213)%20373-4253",
    "4111111111111111",
    "4111-1111-1111-1111",
    "5500%200000%200000%200004",
    "378282246310005",
    "6011111111111117",
    JWT,
    "sk_live_51H8xYzAbCdEf",
]


@pytest.mark.parametrize("word", PERSONAL)
def test_a_person_or_a_secret_in_a_path_is_redacted_and_its_page_loads_no_pixel(word: str) -> None:
    url = f"https://shop.example/u/{word}/orders"
    assert server_address(url) == "https://shop.example/u/redacted/orders"
    assert holds_identity(url) is True


@pytest.mark.parametrize("word", PERSONAL)
def test_a_person_or_a_secret_in_a_kept_value_is_redacted_and_its_page_loads_no_pixel(word: str) -> None:
    url = f"https://shop.example/p?utm_source=x&utm_content={word}&coupon=9"
    assert server_address(url) == "https://shop.example/p?utm_source=x&utm_content=redacted"
    assert holds_identity(url) is True


def test_a_path_alone_is_looked_at_and_a_host_is_not() -> None:
    assert holds_identity("/u//bob@example.com") is True
    assert holds_identity("//shop.example/u/bob@example.com") is True
    assert holds_identity("https://4111111111111111/") is False
    assert holds_identity("https://4111111111111111/u/bob@example.com") is True


@pytest.mark.parametrize("word", PERSONAL)
def test_a_person_or_a_secret_under_any_key_keeps_the_pixel_away(word: str) -> None:
    assert holds_identity(f"https://shop.example/p?contact={word}") is True
    assert holds_identity(f"https://shop.example/p?{word}") is True
    assert holds_identity(f"https://shop.example/p?next={quote('/x?e=' + word)}") is True
    assert holds_identity(f"https://shop.example/p#{word}") is False


@pytest.mark.parametrize(
    "pair",
    [
        "first_name=Bob",
        "lastName=Smith",
        "customer%5Bfirst_name%5D=Bob",
        "billing.surname=Smith",
        "fname=Bob",
        "phone=0170+1234567",
        "user[phone]=01701234567",
        "tel=01701234567",
        "mobile=213%20373%204253",
        "password=x",
        "dob=1990-01-02",
        "iban=DE89370400440532013000",
        "contact=213+373+4253",
        "ttclid=bob@example.com",
        "next=%2Fpay%3Fa%3D1%26first_name%3DBob",
        "next=%252Fpay%253Fphone%253D01701234567",
    ],
)
def test_a_key_may_say_that_its_value_is_personal(pair: str) -> None:
    assert holds_identity(f"https://shop.example/p?a=1&{pair}") is True
    assert server_address(f"https://shop.example/p?a=1&{pair}") == "https://shop.example/p"


@pytest.mark.parametrize(
    "query",
    [
        f"ttclid={CLICK}",
        "ttclid=4111111111111111",
        "order=1001234567&key=wc_order_AbCdEf123456",
        "order_id=4111111111111111",
        "sku=6011111111111117",
        "token=EC-5YF12345AB678901C&PayerID=ABCDEF123456",
        "session_id=cs_test_a1B2c3D4e5F6g7H8",
        "variant=41234567890123",
        "date=2024-05-01&from=20240501&to=2024-05-01T12:30:00",
        "first_name=&phone=&email=1",
        "hotel=12345678",
        "iphone=15",
        "phone=yes",
        "utm_source=email&utm_content=a-b_c.d~e",
        "lat=48.8566&lng=2.3522&zoom=15",
        "price=100-2000&size=42,5&page=10",
        "gclid=CjwKCAjw9J2iBhBPEiwAErwpeSDcMFZajNRKyDSh&fbclid=IwAR0abc",
        "timestamp=1760000000000",
        "q=c%2B%2B+books",
        "q=react@18.2.0",
        "rgb=255-255-255",
        "next=%2Fpay%3Fphone%3D%26step%3D2%26password",
        "=&&=x&a",
    ],
)
def test_a_usual_query_keeps_the_pixel(query: str) -> None:
    assert holds_identity(f"https://shop.example/thanks?{query}") is False


@pytest.mark.parametrize(
    "token",
    [
        "ts6dk2-0123456789abcdef0123456789abcdef",
        "c8r1l2abcdef0123456789abcdefABCD",
        "da39a3ee5e6b4b0d3255bfef95601890afd80709",
        "ImZvbyI.aBcDeFgHiJkLmNoPqRs7tUv",
    ],
)
def test_a_long_token_is_redacted_on_the_server_and_keeps_the_pixel(token: str) -> None:
    assert server_address(f"https://shop.example/reset/{token}/") == "https://shop.example/reset/redacted/"
    assert server_address(f"https://shop.example/?utm_x={token}") == "https://shop.example/?utm_x=redacted"
    assert holds_identity(f"https://shop.example/reset/{token}/") is False


def test_more_layers_than_anybody_needs_hide_something() -> None:
    word = "bob@example.com"
    for _ in range(9):
        word = quote(word, safe="")
    assert server_address(f"https://shop.example/{word}") == "https://shop.example/redacted"
    assert holds_identity(f"https://shop.example/{word}") is True
    assert holds_identity(f"https://shop.example/?a={word}") is True
    assert holds_identity(f"https://shop.example/?{word}=a") is True


def test_five_layers_are_looked_through() -> None:
    word = "50% off"
    for _ in range(5):
        word = quote(word, safe="")
    assert server_address(f"https://shop.example/{word}") == f"https://shop.example/{word}"


def test_allowed_keys_are_kept_and_still_redacted() -> None:
    allow = frozenset({"category", "q"})
    url = "https://shop.example/p?category=shoes&q=bob@example.com&page=2&Category=x"
    assert server_address(url, allow) == "https://shop.example/p?category=shoes&q=redacted"


def test_denied_keys_are_cut_whatever_else_allows_them() -> None:
    url = "https://shop.example/p?utm_source=a&utm_Term=b&ttclid=c&q=d"
    deny = frozenset({"utm_term", "ttclid", "q"})
    assert server_address(url, frozenset({"q"}), deny) == "https://shop.example/p?utm_source=a"


def test_a_denied_word_of_the_path_redacts_the_next() -> None:
    deny = frozenset({"patient"})
    assert (
        server_address("https://shop.example/Patient/42/plan", deny=deny)
        == "https://shop.example/Patient/redacted/plan"
    )
    assert server_address("https://shop.example/patient/", deny=deny) == "https://shop.example/patient/"
    assert server_address("https://shop.example/plan/42", deny=deny) == "https://shop.example/plan/42"


def test_an_overlong_address_ends_before_the_word_it_is_cut_in() -> None:
    url = "https://shop.example/p?utm_source=a&ttclid=" + CLICK + "&utm_x=" + "y" * 9000
    assert server_address(url) == f"https://shop.example/p?utm_source=a&ttclid={CLICK}"
    assert server_address("https://shop.example/a/" + "b" * 9000) == "https://shop.example/a"
    assert server_address("https://" + "b" * 9000) == ""
    assert holds_identity("https://shop.example/?" + "a" * 20_000) is True


@pytest.mark.parametrize("url", [None, 3, b"https://shop.example/bob@example.com", ["x"]])
def test_what_is_no_str_is_not_told(url: object) -> None:
    assert server_address(url) == ""  # type: ignore[arg-type]
    assert holds_identity(url) is False  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "unit",
    ["@", "a@", "1", "1-", "%25", "%", "a.", "A1", "eyJ", "+1", "/", ";", "@a.", "2 ", "eyJaaaaa.", "(", "\ufdfa", "&",
     "utm_a=%40&", "?", "+1 (", "4 ", "gh", "sk_live_", "[", "%2", "a=1&", "://", "@-.", "9.", "a%40"],
)  # fmt: skip
def test_hostile_addresses_cost_no_more_than_their_length(unit: str) -> None:
    for begin in ("https://shop.example/", "https://shop.example/?utm_x=", "https://", ""):
        url = begin + unit * (16_000 // len(unit))
        assert least_s(partial(_read, url), 0.25) < 0.25, begin


def _read(url: str) -> None:
    server_address(url)
    holds_identity(url)


PIECES = st.sampled_from(
    [
        *(
            "https://",
            "shop.example",
            "/",
            "?",
            "&",
            "=",
            "#",
            ";",
            "%",
            "%25",
            "%40",
            "@",
            "+",
            "a",
            "1",
            "utm_x",
            "ttclid",
        ),
        *("bob", ".", "com", "4111111111111111", "\ud800", "ü", "\x00", " ", "%2B49170", "eyJ", ":", "[", "]", "\\"),
    ]
)


@settings(max_examples=examples(400), deadline=None)
@given(st.lists(PIECES, max_size=30).map("".join) | st.text(st.characters()))
@example("https://shop.example/%ff%fe?utm_a=%ff")
def test_whatever_comes_is_told_safely_or_not_at_all(url: str) -> None:
    told = server_address(url)
    assert isinstance(holds_identity(url), bool)
    assert told.isascii()
    assert server_address(told) == told
    assert holds_identity(told) is False
    assert not set(told) & set(' "<>\\#\x00\n')
    assert told == "" or told.startswith(("http://", "https://"))


MAIL = st.from_regex(r"[a-z]{3,8}[.+_-]?[a-z0-9]{1,8}@[a-z]{2,8}\.(com|de|co\.uk|shop)", fullmatch=True)


@given(MAIL, st.integers(0, 6), st.sampled_from(["/u/{}", "/{}/x", "/?utm_x={}", "/?a=1&email={}", "/x/{}?a=1"]))
def test_no_email_passes_however_often_it_is_encoded(mail: str, layers: int, place: str) -> None:
    word = mail
    for _ in range(layers):
        word = quote(word, safe="")
    url = "https://shop.example" + place.format(word)
    assert holds_identity(url)
    told = server_address(url)
    assert mail.partition("@")[0] not in told.replace("shop.example", "")
    assert urlsplit(told).hostname == "shop.example"


@given(st.integers(0, 10**15), st.sampled_from(["/orders/{}", "/thanks?order_id={}", "/thanks?utm_id={}", "/p?sku={}"]))
def test_order_numbers_and_product_ids_are_nobody(number: int, place: str) -> None:
    """Below 14 digits, under any key; from 14 on a number may be a card, unless its key says what it is."""
    if number < 10**13 or "order_id" in place or "sku" in place:
        assert not holds_identity("https://shop.example" + place.format(number))


@pytest.mark.parametrize("word", ["213-373-4253", "(213)%20373-4253", "0151+23456789", "030/1234567"])
def test_national_phone_number_counts_under_a_phone_key_only(word: str) -> None:
    assert holds_identity(f"https://shop.example/u/{word}/orders") is False
    assert holds_identity(f"https://shop.example/p?part={word}") is False
    assert holds_identity(f"https://shop.example/p?customer_phone={word}") is True
