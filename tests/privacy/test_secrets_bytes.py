"""No token, key or password stands in what is printed, logged, stored, sent to a broker or handed to a browser."""

from __future__ import annotations

import json
import logging
import pickle
from pathlib import Path

import msgspec
import pytest
from click.testing import CliRunner
from rich.pretty import pretty_repr

from tests.contract.adapters import Request, Response, through_wsgi
from tests.delivery.delivery_world import running_api
from tiktok_middleware import Client, Config
from tiktok_middleware.cli import main as cli
from tiktok_middleware.core.events.event import Record
from tiktok_middleware.delivery.celery import BatchMessage
from tiktok_middleware.errors import ConfigError

PIXEL = "C0000000000000000001"
# Each begins alike, so that the two characters which may be shown are nobody's.
SECRETS = {
    "access_token": "tt-0f8e1c-access",
    "secret_key": "tt-7a2b9d-signing,tt-31c4ee-signing-before",
    "offline_token": "tt-d09f6b-offline",
    "crm_token": "tt-5e7713-crm",
    "celery_broker": "redis://tt-user:tt-a8c52f-password@broker.example:6379/0",
}
NEEDLES = ["0f8e1c", "7a2b9d", "31c4ee", "d09f6b", "5e7713", "a8c52f"]


def found(text: object) -> list[str]:
    return [needle for needle in NEEDLES if needle in str(text)]


def test_the_search_finds_what_is_there() -> None:
    assert found(SECRETS) == NEEDLES


@pytest.fixture
def environ(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    variables = {
        "TIKTOK_PIXEL_ID": PIXEL,
        "TIKTOK_OFFLINE_ID": "111",
        "TIKTOK_CRM_ID": "222",
        "TIKTOK_OUTBOX": f"sqlite:///{tmp_path}/outbox.sqlite3",
        **{f"TIKTOK_{name.upper()}": value for name, value in SECRETS.items()},
    }
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    return variables


def test_nothing_that_shows_a_configuration_shows_its_secrets(environ: dict[str, str]) -> None:
    config = Config.from_env()
    client = Client(config)
    try:
        shown = [config, client, client.runtime, client.runtime.signer, client.stats()]
        texts = [text for one in shown for text in (repr(one), str(one), pretty_repr(one), f"{one!a}")]
    finally:
        client.close(0)
    assert found("\n".join(texts)) == []
    for arguments in (["check"], ["check", "--json"], ["check", "--data-map"], ["check", "--data-map", "--json"]):
        result = CliRunner().invoke(cli.main, arguments)
        assert (result.exit_code, found(result.output)) == (0, []), arguments


@pytest.mark.parametrize("name", SECRETS)
def test_no_error_shows_a_malformed_secret(environ: dict[str, str], name: str) -> None:
    broken = {**environ, f"TIKTOK_{name.upper()}": f"{environ[f'TIKTOK_{name.upper()}']}\n x"}
    with pytest.raises(ConfigError) as caught:
        Config.from_env(broken)
    shown = caught.value, repr(caught.value), caught.value.found, pickle.loads(pickle.dumps(caught.value))
    assert found(shown) == []
    assert caught.value.option == f"TIKTOK_{name.upper()}"


def test_no_place_that_an_event_passes_holds_a_secret(
    environ: dict[str, str], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    request = Request(headers={"user-agent": "Mozilla/5.0", "sec-fetch-mode": "navigate", "accept": "text/html"})
    response = Response(events=(("Lead", {"value": 5, "currency": "EUR"}),))
    with running_api() as api, caplog.at_level(logging.DEBUG):
        # What an answer says of a token may repeat it.
        api.status, api.body = (
            401,
            json.dumps({"code": 40105, "message": f"no token {SECRETS['access_token']} here"}).encode(),
        )
        client = Client(Config.from_env({**environ, "TIKTOK_API_URL": api.url}))
        try:
            seen = through_wsgi(client, request, response)
            client.flush(20)
            stats = client.stats()
        finally:
            client.close(5)
        assert api.requests
    kept = b"".join(path.read_bytes() for path in tmp_path.iterdir()).decode("latin-1")
    listed = [CliRunner().invoke(cli.main, ["outbox", *words]).output for words in (["status"], ["list"], ["export"])]
    assert "Lead" in kept
    places = {"pages": seen, "disk": kept, "command": listed, "log": caplog.text, "stats": stats}
    assert {place: needles for place, text in places.items() if (needles := found(text))} == {}


def test_a_message_to_a_worker_names_the_pixel_and_no_token() -> None:
    record = Record(PIXEL, "web", "Lead", "id-1", 1, b'{"event":"Lead"}')
    message = json.loads(msgspec.json.encode(BatchMessage.of([record])))
    assert PIXEL in json.dumps(message)
    assert found(message) == []
