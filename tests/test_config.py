"""A malformed variable stops the start, in words that say which, what was found and what is allowed."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tiktok_middleware._option_parsers import masked
from tiktok_middleware.config import DEBUG_DEFAULTS, Config
from tiktok_middleware.errors import ConfigError

PIXEL = "C0000000000000000001"
SANDBOX = {"TIKTOK_API_URL": "http://localhost:8001/v", "TIKTOK_PIXEL_URL": "http://localhost:8001/events.js"}

BOTS_ALLOWED = (
    "auto, or rules separated by commas, such as auto,+MyShopApp,-AcmeMonitor: + and a regular expression for people's"
    " user agents, - and one for those of bots; at most 50 rules, each up to 200 characters"
)
BOTS_SLOW = "it may search for too long: use at most one repetition without a limit, such as .* or [0-9]+"

MESSAGES = [
    (
        "PROXY_HEADER",
        "x forwarded",
        "TIKTOK_PROXY_HEADER is 'x forwarded'; allowed: x-forwarded-for, forwarded, or a header's name such as cf-connecting-ip",
    ),
    (
        "PIXEL_ID",
        "A B",
        "TIKTOK_PIXEL_ID is 'A B'; allowed: words separated by commas, without spaces, quotes or empty places",
    ),
    ("PIXEL_ID", "A,A", "TIKTOK_PIXEL_ID is 'A,A'; allowed: each pixel id once: its events would count twice"),
    (
        "PIXEL_ID",
        "A,",
        "TIKTOK_PIXEL_ID is 'A,'; allowed: words separated by commas, without spaces, quotes or empty places",
    ),
    ("PIXEL_ID", "A\nB", "TIKTOK_PIXEL_ID is 'A\\nB'; allowed: text without line breaks and control characters"),
    (
        "BROWSER_RULES",
        "a[href click Contact",
        "TIKTOK_BROWSER_RULES is 'a[href click Contact'; allowed: rules of the form SELECTOR click|submit|input EVENT, separated by semicolons; the selector of the rule 'a[href click Contact' is invalid: '[href' is no attribute selector",
    ),
    (
        "PIXEL_BY_HOST",
        "shop.de=C1",
        "TIKTOK_PIXEL_BY_HOST is 'shop.de=C1'; allowed: import:package.module:function",
    ),
    (
        "ACCESS_TOKEN",
        "secret-token 12345",
        "TIKTOK_ACCESS_TOKEN is 'se... (18 characters)'; allowed: words separated by commas, without spaces, quotes or empty places",
    ),
    (
        "ACCESS_TOKEN",
        "a,b,c",
        "TIKTOK_ACCESS_TOKEN is '3 tokens for 1 pixels'; allowed: one token for all, or one for each pixel id in the same order",
    ),
    (
        "ACCESS_TOKEN",
        "ab c",
        "TIKTOK_ACCESS_TOKEN is '... (4 characters)'; allowed: words separated by commas, without spaces, quotes or empty places",
    ),
    (
        "SECRET_KEY",
        "super secret key",
        "TIKTOK_SECRET_KEY is 'su... (16 characters)'; allowed: words separated by commas, without spaces, quotes or empty places",
    ),
    (
        "TEST_EVENT_CODE",
        "TEST1",
        "TIKTOK_TEST_EVENT_CODE is 'set'; allowed: nothing while TIKTOK_ENVIRONMENT=production: test events would hide sales",
    ),
    (
        "TEST_EVENT_CODE",
        "T\x00",
        "TIKTOK_TEST_EVENT_CODE is 'T\\x00'; allowed: text without line breaks and control characters",
    ),
    ("ENVIRONMENT", "prod", "TIKTOK_ENVIRONMENT is 'prod'; allowed: one of production, development, staging, test"),
    ("ENABLED", "maybe", "TIKTOK_ENABLED is 'maybe'; allowed: true or false"),
    ("STRICT", "2", "TIKTOK_STRICT is '2'; allowed: true or false"),
    (
        "CONSENT",
        "Yes!",
        "TIKTOK_CONSENT is 'Yes!'; allowed: implied, required, cookie:NAME=VALUE, import:package.module:function or a consent platform such as onetrust",
    ),
    (
        "CONSENT",
        "cookie:marketing",
        "TIKTOK_CONSENT is 'cookie:marketing'; allowed: implied, required, cookie:NAME=VALUE, import:package.module:function or a consent platform such as onetrust",
    ),
    (
        "CONSENT",
        "import:mod",
        "TIKTOK_CONSENT is 'import:mod'; allowed: implied, required, cookie:NAME=VALUE, import:package.module:function or a consent platform such as onetrust",
    ),
    ("CONSENT_IMPLIED", "yes", "TIKTOK_CONSENT_IMPLIED is 'yes'; allowed: one of unknown, granted"),
    ("GPC", "no", "TIKTOK_GPC is 'no'; allowed: one of deny, limit, ignore"),
    ("LIMITED_DATA_USE", "?", "TIKTOK_LIMITED_DATA_USE is '?'; allowed: true or false"),
    ("PAGE_VIEW", "server", "TIKTOK_PAGE_VIEW is 'server'; allowed: one of browser, matched, off"),
    ("TTP", "on", "TIKTOK_TTP is 'on'; allowed: one of refresh, mint, off"),
    (
        "BROWSER_EVENTS",
        "Add to cart",
        "TIKTOK_BROWSER_EVENTS is 'Add to cart'; allowed: words separated by commas, without spaces, quotes or empty places",
    ),
    *(
        ("BOTS", given, f"TIKTOK_BOTS is {given!r}; allowed: {BOTS_ALLOWED}{why}")
        for given, why in {
            "off": "",
            "MyShopApp": "",
            "auto,+": "",
            "auto,,-A": "",
            "+A(B": " (in +A(B: missing ), unterminated subpattern at position 1)",
            "-" + 201 * "a": "",
            ",".join(51 * ["-a"]): "",
            "-(x+)+y": f" (in -(x+)+y: {BOTS_SLOW})",
        }.items()
    ),
    (
        "COOKIE_DOMAIN",
        "localhost",
        "TIKTOK_COOKIE_DOMAIN is 'localhost'; allowed: auto, host or a domain such as shop.example",
    ),
    ("COOKIE_DOMAIN", "a b", "TIKTOK_COOKIE_DOMAIN is 'a b'; allowed: auto, host or a domain such as shop.example"),
    (
        "TRUSTED_PROXIES",
        "-1",
        "TIKTOK_TRUSTED_PROXIES is '-1'; allowed: a number of proxies (0 to 20), or networks such as 10.0.0.0/8,192.168.0.0/16",
    ),
    (
        "TRUSTED_PROXIES",
        "21",
        "TIKTOK_TRUSTED_PROXIES is '21'; allowed: a number of proxies (0 to 20), or networks such as 10.0.0.0/8,192.168.0.0/16",
    ),
    (
        "TRUSTED_PROXIES",
        "10.0.0.0/99",
        "TIKTOK_TRUSTED_PROXIES is '10.0.0.0/99'; allowed: a number of proxies (0 to 20), or networks such as 10.0.0.0/8,192.168.0.0/16",
    ),
    (
        "TRUSTED_PROXIES",
        "10.0.0.1,x",
        "TIKTOK_TRUSTED_PROXIES is '10.0.0.1,x'; allowed: a number of proxies (0 to 20), or networks such as 10.0.0.0/8,192.168.0.0/16",
    ),
    (
        "EXCLUDE",
        "admin/*",
        "TIKTOK_EXCLUDE is 'admin/*'; allowed: path globs such as /admin/*,/health, each beginning with / or *",
    ),
    ("SNIPPET", "gtmm", "TIKTOK_SNIPPET is 'gtmm'; allowed: one of pixel, adopt, gtm, off"),
    ("PHONE_REGION", "Germany", "TIKTOK_PHONE_REGION is 'Germany'; allowed: a two-letter region such as DE"),
    (
        "MATCH_KEYS",
        "email,adress",
        (
            "TIKTOK_MATCH_KEYS is 'email,adress'; allowed: all, none or some of email, phone, external_id, first_name,"
            " last_name, city, state, country, zip_code, ip, user_agent, ttp, ttclid"
        ),
    ),
    (
        "URL_ALLOW",
        "a b",
        "TIKTOK_URL_ALLOW is 'a b'; allowed: words separated by commas, without spaces, quotes or empty places",
    ),
    (
        "URL_DENY",
        "a,,b",
        "TIKTOK_URL_DENY is 'a,,b'; allowed: words separated by commas, without spaces, quotes or empty places",
    ),
    ("AUTO_EVENTS", "x", "TIKTOK_AUTO_EVENTS is 'x'; allowed: true or false"),
    ("HISTORY_OBSERVER", "x", "TIKTOK_HISTORY_OBSERVER is 'x'; allowed: true or false"),
    ("CSP", "strict", "TIKTOK_CSP is 'strict'; allowed: one of nonce, extend, off"),
    ("ENDPOINT", "tiktok", "TIKTOK_ENDPOINT is 'tiktok'; allowed: a path such as /_tiktok"),
    ("ENDPOINT", "/a b", "TIKTOK_ENDPOINT is '/a b'; allowed: a path such as /_tiktok"),
    ("ENDPOINT", "/", "TIKTOK_ENDPOINT is '/'; allowed: a path such as /_tiktok"),
    (
        "OUTBOX",
        "redis://x",
        (
            "TIKTOK_OUTBOX is 'redis://x'; allowed: sqlite: (the user's state directory), sqlite:///path/to/file, memory://"
            ", postgresql://USER:PASSWORD@HOST/NAME or django:ALIAS"
        ),
    ),
    (
        "OUTBOX",
        "sqlite://",
        (
            "TIKTOK_OUTBOX is 'sqlite://'; allowed: sqlite: (the user's state directory), sqlite:///path/to/file, memory://"
            ", postgresql://USER:PASSWORD@HOST/NAME or django:ALIAS"
        ),
    ),
    (
        "OUTBOX",
        "sqlite:///",
        (
            "TIKTOK_OUTBOX is 'sqlite:///'; allowed: sqlite: (the user's state directory), sqlite:///path/to/file, memory://"
            ", postgresql://USER:PASSWORD@HOST/NAME or django:ALIAS"
        ),
    ),
    ("FLUSH", "never", "TIKTOK_FLUSH is 'never'; allowed: one of background, request, relay"),
    ("SYNC", "fast", "TIKTOK_SYNC is 'fast'; allowed: one of normal, full"),
    ("SINK", "celeryy", "TIKTOK_SINK is 'celeryy'; allowed: direct, celery or import:package.module:factory"),
    (
        "OFFLINE_ID",
        "7 8",
        "TIKTOK_OFFLINE_ID is '7 8'; allowed: the id of an event set, such as 7654321098765432109",
    ),
    ("CRM_ID", "7,8", "TIKTOK_CRM_ID is '7,8'; allowed: the id of an event set, such as 7654321098765432109"),
    (
        "OFFLINE_TOKEN",
        "offline\x00token",
        "TIKTOK_OFFLINE_TOKEN is 'of... (13 characters)'; allowed: text without line breaks and control characters",
    ),
    (
        "CRM_TOKEN",
        "crm\ntokens-and-more",
        "TIKTOK_CRM_TOKEN is 'cr... (19 characters)'; allowed: text without line breaks and control characters",
    ),
    (
        "CELERY_BROKER",
        "redis://:pass\x00word@host",
        "TIKTOK_CELERY_BROKER is 're... (23 characters)'; allowed: text without line breaks and control characters",
    ),
    ("SINK", "import:x", "TIKTOK_SINK is 'import:x'; allowed: direct, celery or import:package.module:factory"),
    (
        "API_URL",
        "business-api.tiktok.com",
        "TIKTOK_API_URL is 'business-api.tiktok.com'; allowed: an absolute http or https address without user, query and fragment",
    ),
    (
        "API_URL",
        "ftp://x",
        "TIKTOK_API_URL is 'ftp://x'; allowed: an absolute http or https address without user, query and fragment",
    ),
    (
        "API_URL",
        "https://user:pass@x/",
        "TIKTOK_API_URL is 'https://...@x/'; allowed: an absolute http or https address without user, query and fragment",
    ),
    (
        "API_URL",
        "https://x:port/",
        "TIKTOK_API_URL is 'https://x:port/'; allowed: an absolute http or https address without user, query and fragment",
    ),
    (
        "API_URL",
        "https://x/?a=1",
        "TIKTOK_API_URL is 'https://x/?a=1'; allowed: an absolute http or https address without user, query and fragment",
    ),
    (
        "PIXEL_URL",
        "//x",
        "TIKTOK_PIXEL_URL is '//x'; allowed: an absolute http or https address without user, query and fragment",
    ),
    (
        "PIXEL_URL",
        "https://[x",
        "TIKTOK_PIXEL_URL is 'https://[x'; allowed: an absolute http or https address without user, query and fragment",
    ),
    ("BROWSER_IN_TEST", "x", "TIKTOK_BROWSER_IN_TEST is 'x'; allowed: true or false"),
    ("DELAY", "-1", "TIKTOK_DELAY is '-1'; allowed: a whole number of seconds from 0 to 86400"),
    ("LEDGER_DAYS", "forever", "TIKTOK_LEDGER_DAYS is 'forever'; allowed: a whole number of days from 0 to 3650"),
    ("DEAD_LETTER_DAYS", "1.5", "TIKTOK_DEAD_LETTER_DAYS is '1.5'; allowed: a whole number of days from 0 to 3650"),
    ("ONCE_UNDECIDED", "maybe", "TIKTOK_ONCE_UNDECIDED is 'maybe'; allowed: one of send, hold"),
]


@pytest.mark.parametrize(("name", "value", "message"), MESSAGES)
def test_a_malformed_variable_is_named_with_its_value_and_what_is_allowed(name: str, value: str, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        Config.from_env({"TIKTOK_PIXEL_ID": "A", f"TIKTOK_{name}": value})
    assert str(caught.value) == message
    assert caught.value.option == f"TIKTOK_{name}"


def test_every_option_can_be_malformed_and_is_in_the_table() -> None:
    assert {f.lower() for f, _, _ in MESSAGES} == set(Config.__dataclass_fields__)


def test_each_event_set_has_its_own_token_or_the_first() -> None:
    sets: dict[str, Any] = {"offline_id": "1", "crm_id": "2"}
    assert Config(pixel_id="A,B", access_token="a,b", **sets).token_by_pixel == {"A": "a", "B": "b", "1": "a", "2": "a"}
    own = Config(pixel_id="A", access_token="a", offline_token="o", crm_token="c", **sets)
    assert own.token_by_pixel == {"A": "a", "1": "o", "2": "c"}
    assert "'o'" not in repr(own)
    assert Config(pixel_id="A", **sets).token_by_pixel == {}
    assert Config(pixel_id="A", crm_token="c", **sets).token_by_pixel == {"2": "c"}
    assert [own.targets(source) for source in ("web", "offline", "crm")] == [("A",), ("1",), ("2",)]
    assert Config(pixel_id="A").targets("crm") == ()


@pytest.mark.parametrize("name", ["ACCESS_TOKEN", "SECRET_KEY"])
def test_no_secret_is_printed(name: str) -> None:
    secret = "5f4dcc3b5aa765d61d83 27deb882cf99"
    with pytest.raises(ConfigError) as caught:
        Config.from_env({"TIKTOK_PIXEL_ID": "A", f"TIKTOK_{name}": secret})
    assert secret[2:] not in str(caught.value)
    config = Config(pixel_id="A", access_token="the-access-token", secret_key="the-secret-key")
    assert "the-access" not in repr(config)
    assert "the-secret" not in repr(config)
    assert masked("short") == "... (5 characters)"
    assert masked("") == "empty"


def config_of(**options: Any) -> Config:
    return Config(**options)


@given(st.text(max_size=30))
def test_a_value_is_taken_or_refused_by_name_and_nothing_else(value: str) -> None:
    for name in Config.__dataclass_fields__:
        try:
            config_of(**{"pixel_id": "A", name: value})
        except ConfigError as error:
            assert error.option == f"TIKTOK_{name.upper()}"  # noqa: PT017


@pytest.mark.parametrize("value", [None, 5, 1.5, b"A", object(), ["a b"], {"a": 1}])
def test_a_value_of_another_type_is_refused_by_name(value: Any) -> None:
    for name in ("pixel_id", "access_token", "consent", "outbox", "api_url", "enabled"):
        with pytest.raises(ConfigError, match=f"TIKTOK_{name.upper()} is"):
            Config(**{"pixel_id": "A", name: value})


# -- reading


def test_without_variables_nothing_is_on() -> None:
    config = Config.from_env({})
    assert config == Config()
    assert config.is_on is False
    assert (config.pixels, config.tokens, config.token_by_pixel) == ((), (), {})


@pytest.mark.parametrize("blank", ["", "  "])
def test_an_empty_variable_is_no_variable(blank: str) -> None:
    assert Config.from_env({"TIKTOK_PIXEL_ID": blank, "TIKTOK_ENABLED": blank, "TIKTOK_CONSENT": blank}) == Config()


def test_the_environment_of_this_process_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TIKTOK_PIXEL_ID", PIXEL)
    assert Config.from_env().pixels == (PIXEL,)


def test_a_value_is_trimmed_of_what_a_file_of_variables_leaves() -> None:
    assert Config.from_env({"TIKTOK_PIXEL_ID": f" {PIXEL}\r\n", "TIKTOK_GPC": "limit "}).pixels == (PIXEL,)


def test_an_override_outranks_a_variable_and_a_variable_a_default() -> None:
    environ = {"TIKTOK_PIXEL_ID": "A", "TIKTOK_GPC": "limit"}
    config = Config.from_env(environ, defaults={"gpc": "ignore", "strict": True, "ttp": "off"}, gpc="deny", ttp=None)
    assert (config.pixel_id, config.gpc, config.strict, config.ttp) == ("A", "deny", True, "off")


def test_an_override_of_none_says_nothing() -> None:
    assert Config.from_env({"TIKTOK_ACCESS_TOKEN": "t"}, pixel_id="A", access_token=None).tokens == ("t",)


def test_an_unknown_override_is_refused_without_its_value() -> None:
    with pytest.raises(ConfigError) as caught:
        Config.from_env({}, acces_token="the-secret-token")
    assert str(caught.value).startswith(
        "acces_token is no option; did you mean access_token? Options: access_token, api_url,"
    )
    assert "the-secret-token" not in str(caught.value)


@pytest.mark.parametrize(
    ("given", "read"),
    [
        *(("true", True), ("TRUE", True), ("1", True), (" yes ", True), ("On", True), (True, True), (1, True)),
        *(("false", False), ("False", False), ("0", False), ("no", False), ("OFF", False), (False, False), (0, False)),
    ],
)
def test_yes_and_no_in_many_words(given: Any, read: bool) -> None:
    assert Config(strict=given).strict is read


@pytest.mark.parametrize("given", ["A,B", " A , B ", ["A", "B"], ("A", "B")])
def test_a_list_may_be_a_text_or_a_list(given: Any) -> None:
    assert Config(pixel_id=given).pixels == ("A", "B")


@pytest.mark.parametrize(
    ("name", "given", "read"),
    [
        ("bots", "auto", "auto"),
        ("bots", "", "auto"),
        ("bots", " +MyShopApp , -Acme (Bot|Monitor)/[0-9]{1,3}", "auto,+MyShopApp,-Acme (Bot|Monitor)/[0-9]{1,3}"),
        ("bots", ["-A", "+B"], "auto,-A,+B"),
        ("trusted_proxies", 2, "2"),
        ("proxy_header", "CF-Connecting-IP", "cf-connecting-ip"),
        ("trusted_proxies", "10.0.0.0/8, 2001:db8::/32", "10.0.0.0/8,2001:db8::/32"),
        ("trusted_proxies", "10.0.0.1", "10.0.0.1"),
        ("cookie_domain", ".Shop.Example", "shop.example"),
        ("endpoint", "/t/", "/t"),
        ("outbox", "memory:", "memory://"),
        ("outbox", "sqlite:////var/lib/x.db", "sqlite:////var/lib/x.db"),
        ("api_url", "http://127.0.0.1:8001/open_api/v1.3/", "http://127.0.0.1:8001/open_api/v1.3"),
        ("api_url", "http://[::1]:8001", "http://[::1]:8001"),
        ("consent", "cookie:marketing=yes", "cookie:marketing=yes"),
        ("consent", "import:shop.consent:Reader.read", "import:shop.consent:Reader.read"),
        ("phone_region", "DE", "DE"),
        ("exclude", "/admin/*, *.json", "/admin/*,*.json"),
    ],
)
def test_a_good_value_is_read(name: str, given: Any, read: str) -> None:
    assert getattr(Config(**{name: given}), name) == read


def test_options_do_not_change() -> None:
    with pytest.raises(AttributeError):
        Config().pixel_id = "B"  # type: ignore[misc]


# -- pixels and tokens


@pytest.mark.parametrize(
    ("pixels", "tokens", "by_pixel"),
    [
        ("", "", {}),
        ("", "t", {}),
        ("A", "", {}),
        ("A", "t", {"A": "t"}),
        ("A,B", "t", {"A": "t", "B": "t"}),
        ("A,B", "t,u", {"A": "t", "B": "u"}),
    ],
)
def test_each_pixel_has_its_token(pixels: str, tokens: str, by_pixel: dict[str, str]) -> None:
    assert Config(pixel_id=pixels, access_token=tokens).token_by_pixel == by_pixel


@pytest.mark.parametrize(("pixels", "tokens"), [("A,B", "t,u,v"), ("A,B,C", "t,u"), ("", "t,u")])
def test_tokens_that_cannot_be_told_apart_are_refused(pixels: str, tokens: str) -> None:
    with pytest.raises(ConfigError, match="one token for all, or one for each pixel id"):
        Config(pixel_id=pixels, access_token=tokens)


# -- where events may go


@pytest.mark.parametrize(
    ("environ", "browser", "server"),
    [
        ({}, "", ""),
        ({"TIKTOK_ACCESS_TOKEN": ""}, "", "no_token"),
        ({"TIKTOK_SNIPPET": "off"}, "snippet_off", ""),
        ({"TIKTOK_ENVIRONMENT": "development"}, "not_production", "not_production"),
        ({"TIKTOK_ENVIRONMENT": "staging"}, "not_production", "not_production"),
        ({"TIKTOK_ENVIRONMENT": "test"}, "not_production", "not_production"),
        ({"TIKTOK_ENVIRONMENT": "test", "TIKTOK_TEST_EVENT_CODE": "T1"}, "not_production", ""),
        ({"TIKTOK_ENVIRONMENT": "test", "TIKTOK_BROWSER_IN_TEST": "true"}, "", "not_production"),
        ({"TIKTOK_ENVIRONMENT": "development", **SANDBOX}, "", ""),
        ({"TIKTOK_TEST_EVENT_CODE": "T1", **SANDBOX}, "", ""),  # production, but not TikTok's own host
        (
            {"TIKTOK_ENVIRONMENT": "test", "TIKTOK_API_URL": "https://BUSINESS-API.TikTok.com/x"},
            "not_production",
            "not_production",
        ),
        (
            {"TIKTOK_ENVIRONMENT": "test", "TIKTOK_API_URL": "https://business-api.tiktok.com./x"},
            "not_production",
            "not_production",
        ),
        (
            {"TIKTOK_ENVIRONMENT": "test", "TIKTOK_API_URL": "https://business-api.tiktok.com:443/x"},
            "not_production",
            "not_production",
        ),
        ({"TIKTOK_ENVIRONMENT": "test", "TIKTOK_API_URL": "https://tiktok.com.proxy.example/x"}, "not_production", ""),
        ({"TIKTOK_ENVIRONMENT": "test", "TIKTOK_API_URL": "https://nottiktok.com/x"}, "not_production", ""),
        (
            {"TIKTOK_ENVIRONMENT": "test", "TIKTOK_PIXEL_URL": "https://analytics.us.tiktok.com/e.js"},
            "not_production",
            "not_production",
        ),
    ],
)
def test_outside_production_nothing_goes_to_tiktoks_own_hosts_unasked(
    environ: dict[str, str], browser: str, server: str
) -> None:
    config = Config.from_env({"TIKTOK_PIXEL_ID": PIXEL, "TIKTOK_ACCESS_TOKEN": "t", **environ})
    assert (config.browser_reason, config.server_reason) == (browser, server)


def test_debug_mode_means_development_and_strictness_unless_a_variable_says_otherwise() -> None:
    config = Config.from_env({}, defaults=DEBUG_DEFAULTS)
    assert (config.environment, config.strict) == ("development", True)
    config = Config.from_env({"TIKTOK_ENVIRONMENT": "production", "TIKTOK_STRICT": "no"}, defaults=DEBUG_DEFAULTS)
    assert (config.environment, config.strict) == ("production", False)


@pytest.mark.parametrize(
    ("options", "is_on"), [({}, False), ({"pixel_id": "A"}, True), ({"pixel_id": "A", "enabled": "no"}, False)]
)
def test_the_middleware_is_on_with_a_pixel_and_without_the_kill_switch(options: dict[str, Any], is_on: bool) -> None:
    assert Config(**options).is_on is is_on
