"""Flask: the extension, its options, and views that track."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from typing import Any

import flask
import pytest
from werkzeug.test import Client as Browser

import tiktok_middleware
from tests.contrib.shared import NAVIGATION, PAGE, PIXEL, inline_events, is_pair, make_client, sent
from tiktok_middleware import Client, ConfigError
from tiktok_middleware.contrib.flask import TikTok, tiktok_from


def make_app(client: Client | None) -> flask.Flask:
    app = flask.Flask(__name__)
    if client is not None:
        TikTok(app, client)

    @app.get("/")
    def page() -> str:
        flask.request.tiktok.track("ViewContent", value=24.5, currency="EUR")  # type: ignore[attr-defined]
        return PAGE

    @app.post("/add")
    def add() -> dict[str, int]:
        tiktok_from(flask.request).track("AddToCart", value=3, currency="EUR")
        return {"count": 1}

    @app.post("/pay")
    def pay() -> Any:
        tiktok_middleware.current().track("Purchase", value=59.9, currency="EUR", order_id="A-1001")
        return flask.redirect("/thanks", 303)

    @app.get("/thanks")
    def thanks() -> str:
        tiktok_middleware.current().track("Purchase", value=59.9, currency="EUR", order_id="A-1001")
        return PAGE

    @app.get("/fails")
    def fails() -> str:
        tiktok_from(flask.request).track("Lead")
        raise RuntimeError("the view failed")

    @app.get("/streamed")
    def streamed() -> Any:
        @flask.stream_with_context
        def pieces() -> Iterator[str]:
            yield PAGE[:20]
            tiktok_middleware.current().track("ViewContent", value=4, currency="EUR")
            yield PAGE[20:]

        return pieces()  # type: ignore[call-arg]  # flask types the decorator for views with arguments

    return app


@pytest.fixture
def client() -> Client:
    return make_client()


@pytest.fixture
def browser(client: Client) -> Browser:
    app = make_app(client)
    app.config["PROPAGATE_EXCEPTIONS"] = False
    return Browser(app)


def get(browser: Browser, path: str) -> Any:
    return browser.get(path, headers=NAVIGATION, base_url="https://shop.example", buffered=True)


def test_an_event_of_a_page_is_one_pair(client: Client, browser: Browser) -> None:
    [copy], [server] = inline_events(get(browser, "/").text), sent(client)
    assert is_pair(copy, server)


def test_an_answer_brings_its_event_in_headers(client: Client, browser: Browser) -> None:
    answer = browser.post("/add", headers={"sec-fetch-mode": "cors"}, buffered=True)
    [copy], [server] = json.loads(answer.headers["TikTok-Events"]), sent(client)
    assert is_pair(copy, server)
    assert answer.json == {"count": 1}


def test_a_purchase_tracked_twice_over_a_redirect_is_one_pair(client: Client, browser: Browser) -> None:
    browser.post("/pay", headers=NAVIGATION, base_url="https://shop.example", buffered=True)
    [copy], [server] = inline_events(get(browser, "/thanks").text), sent(client)
    assert is_pair(copy, server)


def test_a_view_that_fails_tells_no_lies(client: Client, browser: Browser) -> None:
    assert get(browser, "/fails").status_code == 500
    assert sent(client) == []


def test_a_streamed_page_carries_what_is_tracked_while_it_is_made(client: Client, browser: Browser) -> None:
    answer = get(browser, "/streamed")
    [copy] = inline_events(answer.text)
    assert copy[0] == "ViewContent"
    answer.close()
    assert len(sent(client)) == 1


def test_options_come_from_the_apps_config_and_its_secret_key_signs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TIKTOK_PIXEL_ID", raising=False)
    app = flask.Flask(__name__)
    app.config.update(TIKTOK={"pixel_id": PIXEL, "outbox": "memory://"}, SECRET_KEY="new", SECRET_KEY_FALLBACKS=["old"])
    TikTok(app)
    client: Client = app.extensions["tiktok"]
    assert client.config.pixels == (PIXEL,)
    old = flask.Flask(__name__)
    old.config.update(TIKTOK={"pixel_id": PIXEL, "outbox": "memory://"}, SECRET_KEY="old")
    TikTok(old)
    token = old.extensions["tiktok"].runtime.signer.dump([1], purpose="carry")
    assert client.runtime.signer.load(token, purpose="carry", max_age_s=60) == [1]


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"TIKTOK": {"consent": "required"}}, ("required", "production")),
        ({"TIKTOK": {"CONSENT": "required"}}, ("required", "production")),
        ({"TIKTOK": {"TIKTOK_CONSENT": "required", "GPC": None}}, ("required", "production")),
        ({"DEBUG": True}, ("implied", "development")),
        ({"SECRET_KEY": "late"}, ("implied", "production")),
        ({}, ("implied", "production")),
    ],
)
def test_configuration_that_comes_after_the_extension_counts(
    change: dict[str, Any], expected: tuple[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {"TIKTOK_PIXEL_ID": PIXEL, "TIKTOK_OUTBOX": "memory://"}.items():
        monkeypatch.setenv(name, value)
    app = flask.Flask(__name__)
    TikTok(app)
    early: Client = app.extensions["tiktok"]
    assert (early.config.consent, early.config.environment) == ("implied", "production")
    app.config.update(change)
    app.get("/")(lambda: PAGE)
    page = Browser(app).get("/", headers=NAVIGATION)
    late: Client = app.extensions["tiktok"]
    assert (late.config.consent, late.config.environment) == expected
    assert early.config == late.config  # who kept the early one has the same client
    assert late.runtime.has_secret_key is ("SECRET_KEY" in change)
    assert isinstance(late, Client)
    assert page.status_code == 200
    page.close()
    late.close(0)


def test_job_without_a_request_has_the_configuration_that_came_late(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TIKTOK_PIXEL_ID", PIXEL)
    monkeypatch.setenv("TIKTOK_OUTBOX", "memory://")
    app = flask.Flask(__name__)
    TikTok(app)
    app.config["TIKTOK"] = {"consent": "required"}
    assert app.extensions["tiktok"].config.consent == "required"


def test_requests_that_begin_together_get_the_client_of_the_late_configuration(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TIKTOK_PIXEL_ID", PIXEL)
    monkeypatch.setenv("TIKTOK_OUTBOX", "memory://")
    app = flask.Flask(__name__)
    TikTok(app)
    app.config["TIKTOK"] = {"consent": "required"}
    seen: list[str] = []

    @app.get("/")
    def consent() -> str:
        seen.append(tiktok_from(flask.request).runtime.config.consent)
        return PAGE

    def ask() -> None:
        Browser(app).get("/", headers=NAVIGATION).close()

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert seen == ["required"] * 8


@pytest.mark.parametrize("late", ["pixel_id=abc", 5, {1: 2}, {"secret_keys": "x"}, {"is_debug": True}, {"environ": {}}])
def test_configuration_of_another_type_raises_at_start_and_is_logged_when_late(
    late: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("TIKTOK_PIXEL_ID", PIXEL)
    monkeypatch.setenv("TIKTOK_OUTBOX", "memory://")
    early = flask.Flask("early")
    early.config["TIKTOK"] = late
    with pytest.raises(ConfigError):
        TikTok(early)
    app = flask.Flask("late")
    TikTok(app)
    app.config["TIKTOK"] = late
    app.get("/")(lambda: PAGE)
    for _ in range(2):
        page = Browser(app).get("/", headers=NAVIGATION)
        assert page.text == PAGE
        page.close()
    assert len([record for record in caplog.records if record.levelname == "ERROR"]) == 1


def test_malformed_configuration_that_comes_late_leaves_responses_alone(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    for name, value in {"TIKTOK_PIXEL_ID": PIXEL, "TIKTOK_OUTBOX": "memory://"}.items():
        monkeypatch.setenv(name, value)
    app = flask.Flask(__name__)
    TikTok(app)
    app.config["TIKTOK"] = {"consent": "perhaps"}
    app.get("/")(lambda: PAGE)
    for _ in range(2):
        page = Browser(app).get("/", headers=NAVIGATION)
        assert (page.status_code, page.text) == (200, PAGE)
    [line] = [record.getMessage() for record in caplog.records if record.levelname == "ERROR"]
    assert line.startswith(
        "responses pass untouched: app.config has changed after TikTok(app), and is malformed: TIKTOK_CONSENT is 'perhaps'"
    )


def test_debug_mode_is_strict_and_not_production() -> None:
    app = flask.Flask(__name__)
    app.debug = True
    app.config["TIKTOK"] = {"pixel_id": PIXEL, "outbox": "memory://"}
    TikTok(app)
    config = app.extensions["tiktok"].config
    assert (config.strict, config.environment) == (True, "development")


def test_an_option_that_does_not_exist_is_named() -> None:
    app = flask.Flask(__name__)
    app.config["TIKTOK"] = {"pixel": PIXEL}
    with pytest.raises(
        ConfigError, match=r"pixel is no option; did you mean pixel_id\? Options: access_token, .* pixel_id"
    ):
        TikTok(app)
