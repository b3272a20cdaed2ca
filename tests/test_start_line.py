"""One line at start says what the process will do; it is a WARNING where something is unusual."""

from __future__ import annotations

import logging
from typing import Any

import pytest

from tiktok_middleware import Client, Config
from tiktok_middleware._start_line import announce, start_line

PIXEL = "C5ABCDEFGHIJKLMNOPQR"
SANDBOX = "http://127.0.0.1:8001/open_api/v1.3"
FILE = "sqlite:////var/lib/shop/outbox.sqlite3"


def usual(**options: Any) -> Config:
    return Config(**{"pixel_id": PIXEL, "access_token": "secret-token", "consent": "implied", **options})


def test_usual_production_process_has_one_info_line(caplog: pytest.LogCaptureFixture) -> None:
    said: set[str] = set()
    with caplog.at_level(logging.INFO):
        for _ in range(2):
            announce(usual(), FILE, said)
    (line,) = caplog.records
    assert line.levelno == logging.INFO
    assert line.getMessage() == (
        "TikTok middleware: environment production; browser on, analytics.tiktok.com,"
        f" server on, business-api.tiktok.com; consent implied; outbox {FILE}."
    )


@pytest.mark.parametrize(
    ("options", "outbox", "says"),
    [
        ({"pixel_id": ""}, FILE, "no pixel: set TIKTOK_PIXEL_ID"),
        ({"access_token": ""}, FILE, "no access token: set TIKTOK_ACCESS_TOKEN"),
        (
            {"test_event_code": "T1", "api_url": SANDBOX},
            FILE,
            "TIKTOK_TEST_EVENT_CODE is set: server events go to Test Events",
        ),
        ({"environment": "development"}, FILE, "TIKTOK_ENVIRONMENT=development"),
        (
            {"environment": "staging"},
            FILE,
            "TIKTOK_ENVIRONMENT=staging: without a test code nothing goes to TikTok's own",
        ),
        ({"environment": "staging", "api_url": SANDBOX}, FILE, "TIKTOK_ENVIRONMENT=staging: server events go to"),
        ({}, "memory://", "the outbox is in memory"),
        ({"pixel_id": "short"}, FILE, "pixel id short is not 20 upper-case letters and digits"),
    ],
)
def test_what_is_unusual_is_in_one_warning(
    options: dict[str, Any], outbox: str, says: str, caplog: pytest.LogCaptureFixture
) -> None:
    announce(usual(**options), outbox, set())
    (line,) = caplog.records
    assert line.levelno == logging.WARNING
    assert says in line.getMessage()
    assert "secret-token" not in line.getMessage()


def test_consent_that_nobody_decided_is_unusual_and_the_same_value_given_is_not() -> None:
    undecided = Config(pixel_id=PIXEL, access_token="t")
    assert (undecided.consent, undecided.is_consent_decided) == ("implied", False)
    assert any("consent was never decided" in words for words in start_line(undecided, FILE).unusual)
    decided = Config.from_env({"TIKTOK_PIXEL_ID": PIXEL, "TIKTOK_ACCESS_TOKEN": "t", "TIKTOK_CONSENT": "implied"})
    assert decided.is_consent_decided
    assert start_line(decided, FILE).unusual == ()


def test_switched_off_is_an_info_line(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        announce(usual(enabled=False), FILE, set())
    (line,) = caplog.records
    assert (line.levelno, "TIKTOK_ENABLED=false" in line.getMessage()) == (logging.INFO, True)


def test_development_server_is_named_as_the_cause() -> None:
    line = start_line(usual(environment="development"), FILE, "uvicorn --reload")
    assert "environment development because of uvicorn --reload" in line.text


def test_password_of_an_outbox_is_masked() -> None:
    line = start_line(usual(), "postgresql://shop:hunter2@db.example/shop")
    assert "hunter2" not in line.text
    assert "postgresql://...@db.example/shop" in line.text


@pytest.mark.parametrize(
    "name",
    [
        "TIKTOK_PIXL_ID",
        "TIKTOK_PIXLE",
        "TIKTOK_PIXEL",
        "tiktok_pixel_id",
        "TIK_TOK_PIXEL_ID",
        "TIKTOKPIXEL_ID",
        "Tiktok_Pixel",
    ],
)
def test_misspelt_variable_is_named_with_the_nearest_option(
    name: str, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, "x")
    with caplog.at_level(logging.WARNING, "tiktok_middleware"):
        announce(usual(), FILE, set())
    assert [record.getMessage() for record in caplog.records] == [f"{name} is no option; did you mean TIKTOK_PIXEL_ID?"]


@pytest.mark.parametrize(
    ("argv", "environment"),
    [(["uvicorn", "shop:app", "--reload"], "development"), (["uvicorn", "shop:app"], "production")],
)
def test_client_of_a_development_server_is_in_development(
    argv: list[str], environment: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.argv", argv)
    client = Client.from_env({"TIKTOK_PIXEL_ID": PIXEL, "TIKTOK_OUTBOX": "memory://"})
    try:
        assert client.config.environment == environment
    finally:
        client.close(0)


def test_variable_outranks_the_development_server(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.argv", ["flask", "run"])
    client = Client.from_env(
        {"TIKTOK_PIXEL_ID": PIXEL, "TIKTOK_OUTBOX": "memory://", "TIKTOK_ENVIRONMENT": "production"}
    )
    try:
        assert client.config.environment == "production"
    finally:
        client.close(0)
