"""The sandbox over HTTP: Events API, pixel endpoint, switches and inspector, through the real application."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Awaitable, Callable
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette

import tiktok_middleware.sandbox
from tiktok_middleware.errors import ConfigError
from tiktok_middleware.sandbox import create_app
from tiktok_middleware.sandbox.settings import API_MODES, PIXEL_MODES, Settings

NOW = 1_760_000_000
PIXEL = "C0000000000000000000"
TRACK = "/open_api/v1.3/event/track/"


def made(**options: Any) -> Starlette:
    return create_app(clock=lambda: NOW, pixel_delay_ms=0, **options)


def talk(app: Starlette, *calls: Callable[[httpx.AsyncClient], Awaitable[httpx.Response]]) -> list[httpx.Response]:
    """The answers to some calls, one after the other."""

    async def all_of_them() -> list[httpx.Response]:
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://sandbox") as client:
            return [await call(client) for call in calls]

    return asyncio.run(all_of_them())


def get(path: str, **headers: str) -> Callable[[httpx.AsyncClient], Awaitable[httpx.Response]]:
    return lambda client: client.get(path, headers={name.replace("_", "-"): text for name, text in headers.items()})


def post(path: str, body: Any = None, **headers: str) -> Callable[[httpx.AsyncClient], Awaitable[httpx.Response]]:
    given = {name.replace("_", "-"): text for name, text in headers.items()}
    if isinstance(body, (bytes, str)):
        return lambda client: client.post(path, content=body, headers=given)
    return lambda client: client.post(path, json=body, headers=given)


def item(**changes: Any) -> dict[str, Any]:
    return {
        "event": "Purchase",
        "event_time": NOW,
        "event_id": "p1",
        "user": {"ip": "8.8.8.8", "user_agent": "Mozilla/5.0"},
        "page": {"url": "https://shop.example/thanks"},
        "properties": {"value": 20.0, "currency": "EUR"},
        **changes,
    }


def batch(*items: dict[str, Any], **root: Any) -> dict[str, Any]:
    return {"event_source": "web", "event_source_id": PIXEL, "data": list(items), **root}


def send(body: Any, token: str = "a-token") -> Callable[[httpx.AsyncClient], Awaitable[httpx.Response]]:
    return post(TRACK, body, access_token=token)


def report(**changes: Any) -> str:
    context = {"pixel": {"code": PIXEL}, "page": {"url": "https://shop.example/thanks"}, "ttp": "t" * 32}
    return json.dumps(
        {"event": "Purchase", "event_id": "p1", "properties": {"value": 20, "currency": "EUR"}, "context": context}
        | changes
    )


EVENTS = get("/sandbox/events")


def test_a_good_batch_is_answered_as_tiktok_does_and_listed() -> None:
    answer, events = talk(made(), send(batch(item(), item(event_id="p2"), test_event_code="TEST1")), EVENTS)
    assert answer.status_code == 200
    assert answer.json() == {"code": 0, "message": "OK", "request_id": answer.json()["request_id"], "data": {}}
    first, second = events.json()
    assert (first["event_id"], second["event_id"]) == ("p1", "p2")
    assert (first["state"], first["matched"], first["counted"]) == ("server_only", False, 1)
    assert first["server"]["user"] == {"ip": "8.8.8.8", "user_agent": "Mozilla/5.0"}
    assert first["server"]["test_event_code"] == "TEST1"
    assert first["notes"] == []


def test_one_bad_event_refuses_the_whole_batch_and_names_its_path() -> None:
    bad = item(properties={"contents": [{"content_id": 17}]})
    answer, events = talk(made(), send(batch(item(), bad)), EVENTS)
    assert answer.status_code == 200
    assert answer.json()["code"] == 40002
    assert answer.json()["message"] == "Batch.1.properties.contents.0.content_id: Not a valid string."
    assert events.json() == []


def test_the_path_needs_its_slash_and_is_not_redirected() -> None:
    without, read = talk(made(), post(TRACK.rstrip("/"), batch(item()), access_token="t"), get(TRACK))
    assert without.status_code == 404
    assert read.status_code == 405


def test_a_token_is_needed_and_checked_where_some_are_listed() -> None:
    absent, empty = talk(made(), post(TRACK, batch(item())), send(batch(item()), token=""))
    assert (absent.status_code, absent.json()["code"]) == (401, 40104)
    assert (empty.status_code, empty.json()["code"]) == (401, 40104)
    app = made(tokens=["right"])
    wrong, right, bearer = talk(
        app,
        send(batch(item()), "wrong"),
        send(batch(item()), "right"),
        post(TRACK + "?access_token=right", batch(item()), authorization="Bearer right"),
    )
    assert (wrong.status_code, wrong.json()["code"]) == (401, 40105)
    assert right.json()["code"] == 0
    assert bearer.json()["code"] == 40104


def test_an_unlisted_pixel_has_no_permission() -> None:
    (answer,) = talk(made(pixels=["C1"]), send(batch(item())))
    assert (answer.status_code, answer.json()["code"]) == (200, 40001)
    assert PIXEL in answer.json()["message"]


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        (b"", "application/json"),
        (b"{", "application/json"),
        (b"\xff\xfe", "application/json"),
        (b'{"event_source": NaN}', "application/json"),
        (b"[]", "application/json"),
        (json.dumps(batch(item())).encode(), "text/plain"),
        (b" " * (1024 * 1024 + 1), "application/json"),
    ],
)
def test_a_body_that_is_not_a_request_is_refused(body: bytes, content_type: str) -> None:
    app = made()
    (answer,) = talk(app, post(TRACK, body, access_token="t", content_type=content_type))
    assert (answer.status_code, answer.json()["code"]) == (200, 40002)
    assert len(app.state.sandbox.ledger) == 0


@pytest.mark.parametrize(
    ("mode", "status", "code"),
    [
        ("500", 500, None),
        ("503", 503, None),
        ("429", 429, None),
        ("40100", 200, 40100),
        ("40100_http401", 401, 40100),
        ("40105", 401, 40105),
        ("40001", 200, 40001),
        ("50000", 200, 50000),
        ("html", 502, None),
        ("garbage", 200, None),
    ],
)
def test_the_api_switch_makes_trouble_and_stores_nothing(mode: str, status: int, code: int | None) -> None:
    answer, events, requests = talk(made(api_mode=mode), send(batch(item())), EVENTS, get("/sandbox/requests"))
    assert answer.status_code == status
    if code is None:
        with pytest.raises(ValueError):
            answer.json()
    else:
        assert answer.json()["code"] == code
    assert events.json() == []
    assert [(one["status"], one["code"]) for one in requests.json()] == [(status, code)]
    assert answer.headers.get("retry-after") == ("1" if mode == "429" else None)


def test_a_lost_answer_stores_and_then_fails_so_that_the_retry_is_a_duplicate() -> None:
    app = made(api_mode="lost_answer", api_mode_times=1)
    lost, retried, events = talk(app, send(batch(item())), send(batch(item())), EVENTS)
    assert (lost.status_code, retried.json()["code"]) == (500, 0)
    (event,) = events.json()
    assert (event["server_copies"], event["counted"]) == (2, 1)


def test_trouble_ends_after_as_many_requests_as_were_asked_for() -> None:
    app = made(api_mode="503", api_mode_times=2)
    answers = talk(app, *[send(batch(item()))] * 3, get("/sandbox/settings"))
    assert [one.status_code for one in answers[:3]] == [503, 503, 200]
    assert (answers[3].json()["api_mode"], answers[3].json()["api_mode_times"]) == ("ok", None)


def test_the_delay_is_kept() -> None:
    answer, _ = talk(made(api_delay_ms=120), send(batch(item())), EVENTS)
    assert answer.elapsed.total_seconds() >= 0.12


def test_both_copies_are_one_matched_event() -> None:
    app = made()
    *_, events = talk(app, post("/api/v2/pixel", report(), content_type="text/plain"), send(batch(item())), EVENTS)
    (event,) = events.json()
    assert event["matched"]
    assert event["browser"]["user"] == {"ttp": "t" * 32}
    assert event["browser"]["properties"] == event["server"]["properties"]


def test_differing_copies_say_where() -> None:
    app = made()
    changed = item(properties={"value": 21, "currency": "EUR", "order_id": "1"}, limited_data_use=True)
    *_, events = talk(app, post("/api/v2/pixel", report()), send(batch(changed)), EVENTS)
    (event,) = events.json()
    assert event["state"] == "different"
    assert event["differences"] == [
        {"path": "properties.value", "browser": 20, "server": 21},
        {"path": "properties.order_id", "server": "1", "missing": "browser"},
        {"path": "limited_data_use", "browser": False, "server": True},
    ]


def test_the_pixel_endpoint_takes_what_tiktok_takes_and_notes_what_is_wrong() -> None:
    app = made(pixels=["C1"])
    odd = report(
        event="Has space",
        event_id="",
        properties={"value": "20"},
        context={
            "pixel": {"code": "C2", "missing_methods": ["holdConsent"]},
            "page": {"url": "https://shop.example/?mail=a@b.example"},
            "user": {"phone_number": "h"},
        },
        signal_diagnostic_labels={"email": {"label": "raw"}, "phone_number": {"label": "invalid"}},
    )
    answer, events = talk(app, post("/api/v2/pixel", odd), EVENTS)
    assert answer.status_code == 200
    (event,) = events.json()
    assert {(note["path"], note["level"]) for note in event["notes"]} == {
        ("pixel", "error"),
        ("pixel", "warning"),
        ("event", "error"),
        ("event_id", "warning"),
        ("properties.value", "error"),
        ("properties.currency", "warning"),
        ("page.url", "error"),
        ("ttq", "warning"),
        ("identify.email", "error"),
        ("identify.phone_number", "error"),
    }
    assert event["browser"]["user"] == {"phone": "h"}


@pytest.mark.parametrize("body", ["", "{", "[]", "{}", '{"event": 5}', '{"event": "x", "context": {}}'])
def test_a_malformed_report_is_refused(body: str) -> None:
    answer, events = talk(made(), post("/api/v2/pixel", body), EVENTS)
    assert answer.status_code == 400
    assert events.json() == []


def test_an_oversized_report_is_refused() -> None:
    (answer,) = talk(made(), post("/api/v2/pixel", " " * (256 * 1024 + 1)))
    assert answer.status_code == 413


def test_other_origins_may_load_the_script_and_report() -> None:
    script, sent, preflight = talk(
        made(),
        get(f"/i18n/pixel/events.js?sdkid={PIXEL}&lib=ttq", origin="http://shop"),
        post("/api/v2/pixel", report(), origin="http://shop"),
        lambda client: client.options("/api/v2/pixel", headers={"origin": "http://shop"}),
    )
    for answer in (script, sent, preflight):
        assert answer.headers["access-control-allow-origin"] == "http://shop"
        assert answer.headers["cross-origin-resource-policy"] == "cross-origin"
    assert script.headers["content-type"].startswith("application/javascript")
    assert script.headers["cache-control"] == "no-store"
    assert preflight.status_code == 204


def test_a_failing_pixel_answers_500_and_stores_nothing() -> None:
    script, sent, events = talk(
        made(pixel_mode="failing"), get("/i18n/pixel/events.js"), post("/api/v2/pixel", report()), EVENTS
    )
    assert (script.status_code, sent.status_code) == (500, 500)
    assert events.json() == []


def test_the_raw_requests_are_kept_without_the_token_and_cookies() -> None:
    token = "0123456789abcdef0123"
    call = post(TRACK, batch(item()), access_token=token, cookie="session=secret")
    _, requests, none = talk(made(), call, get("/sandbox/requests"), get("/sandbox/requests?channel=browser"))
    (entry,) = requests.json()
    assert entry["body"] == batch(item())
    assert (entry["status"], entry["code"], entry["message"]) == (200, 0, "OK")
    assert entry["headers"]["access-token"] == "0123…"
    assert "secret" not in requests.text
    assert none.json() == []


def test_waiting_ends_with_the_event_or_with_the_time() -> None:
    async def run() -> tuple[httpx.Response, httpx.Response]:
        transport = httpx.ASGITransport(made())
        async with httpx.AsyncClient(transport=transport, base_url="http://sandbox") as client:
            waiting = asyncio.create_task(client.get("/sandbox/events?wait_for=Purchase&timeout=10"))
            await asyncio.sleep(0.05)
            assert not waiting.done()
            await post("/api/v2/pixel", report())(client)
            late = await client.get("/sandbox/events?wait_for=Purchase&state=matched&timeout=0.1")
            return await waiting, late

    came, late = asyncio.run(run())
    assert came.headers["sandbox-waited"] == "yes"
    assert [event["event"] for event in came.json()] == ["Purchase"]
    assert late.headers["sandbox-waited"] == "timeout"
    assert len(late.json()) == 1


def test_events_can_be_selected_and_are_not_sent_twice_to_one_who_has_them() -> None:
    app = made()
    talk(app, send(batch(item(), item(event_id="p2"), item(event="Lead", event_id="l"))))
    everything, newest, leads, one, wrong = talk(
        app,
        EVENTS,
        get("/sandbox/events?limit=1"),
        get("/sandbox/events?event=Lead"),
        get("/sandbox/events?event_id=p2"),
        get("/sandbox/events?limit=many"),
    )
    assert len(everything.json()) == 3
    assert [event["event_id"] for event in newest.json()] == ["l"]
    assert [event["event_id"] for event in leads.json()] == ["l"]
    assert [event["event_id"] for event in one.json()] == ["p2"]
    assert wrong.status_code == 400
    (again,) = talk(app, get("/sandbox/events", if_none_match=everything.headers["etag"]))
    assert again.status_code == 304


def test_settings_change_together_or_not_at_all() -> None:
    app = made()
    changed, unknown, wrong, no_object, now = talk(
        app,
        post("/sandbox/settings", {"api_mode": "503", "pixel_mode": "slow"}),
        post("/sandbox/settings", {"api_mode": "ok", "colour": "red"}),
        post("/sandbox/settings", {"api_mode": "teapot"}),
        post("/sandbox/settings", ["api_mode"]),
        get("/sandbox/settings"),
    )
    assert changed.json()["api_mode"] == "503"
    assert (unknown.status_code, unknown.json()["option"]) == (400, "colour")
    assert "503" in wrong.json()["allowed"]
    assert no_object.status_code == 400
    assert (now.json()["api_mode"], now.json()["pixel_mode"]) == ("503", "slow")


def test_reset_forgets_events_and_on_demand_the_switches() -> None:
    app = made(api_mode="503")
    talk(app, post("/sandbox/settings", {"api_mode": "ok"}), send(batch(item())))
    _, kept, health = talk(app, post("/sandbox/reset"), get("/sandbox/settings"), get("/sandbox/health"))
    assert health.json() == {"status": "ok", "events": 0, "requests": 0}
    assert kept.json()["api_mode"] == "ok"
    _, initial = talk(app, post("/sandbox/reset?settings=true"), get("/sandbox/settings"))
    assert initial.json()["api_mode"] == "503"


@pytest.mark.parametrize("path", ["/sandbox/settings", "/sandbox/reset"])
def test_another_site_cannot_turn_the_switches(path: str) -> None:
    foreign, own = talk(
        made(), post(path, {}, sec_fetch_site="cross-site"), post(path, {}, sec_fetch_site="same-origin")
    )
    assert (foreign.status_code, own.status_code) == (403, 200)


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("pixel_mode", "fast"),
        ("api_mode", "ok\n"),
        ("api_mode_times", 0),
        ("pixel_delay_ms", -1),
        ("api_delay_ms", "5"),
        ("tokens", "one"),
        ("pixels", [""]),
        ("nonsense", 1),
    ],
)
def test_an_option_that_is_not_allowed_is_named(option: str, value: Any) -> None:
    with pytest.raises(ConfigError) as caught:
        create_app(**{option: value})
    assert caught.value.option == option


def test_a_refused_token_is_not_repeated() -> None:
    with pytest.raises(ConfigError) as caught:
        create_app(tokens=["secret", ""])
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("mode", sorted(API_MODES))
def test_every_api_mode_is_allowed(mode: str) -> None:
    assert Settings().changed({"api_mode": mode}).api_mode == mode


def test_the_inspector_is_one_page_that_its_own_policy_lets_run() -> None:
    (page,) = talk(made(), get("/"))
    assert page.headers["content-type"].startswith("text/html")
    assert "{{" not in page.text
    assert not re.search(r'(?:src|href)="(?:https?:)?//', page.text), "nothing comes from elsewhere"
    policy = page.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    for mode in (*PIXEL_MODES, *API_MODES):
        assert f">{mode}</option>" in page.text


def test_the_package_offers_the_application_itself_for_a_server_command() -> None:
    app = tiktok_middleware.sandbox.app
    assert isinstance(app, Starlette)
    assert tiktok_middleware.sandbox.app is app
    with pytest.raises(AttributeError, match="nothing_such"):
        tiktok_middleware.sandbox.nothing_such  # noqa: B018
