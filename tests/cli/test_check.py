"""``check`` names what is wrong, sends one test event where a test code is set, and can fail a pipeline."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.cli.cli_world import Sandbox, running_sandbox
from tests.cli.test_main import PIXEL, TOKEN, run


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    with running_sandbox() as made:
        yield made


def variables(sandbox: Sandbox, **environ: str) -> dict[str, str]:
    return {
        "TIKTOK_PIXEL_ID": PIXEL,
        "TIKTOK_ACCESS_TOKEN": TOKEN,
        "TIKTOK_CONSENT": "implied",
        "TIKTOK_OUTBOX": "memory://",
        "TIKTOK_API_URL": sandbox.url,
        "TIKTOK_TEST_EVENT_CODE": "TEST123",
        **environ,
    }


def test_test_event_that_is_accepted_is_reported_in_words(sandbox: Sandbox) -> None:
    result = run("check", "--json", **variables(sandbox))
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout)["test event"].startswith("accepted (code 0)")
    (conversion,) = sandbox.app.state.sandbox.ledger
    assert conversion.event == "Contact"


@pytest.mark.parametrize(
    ("switches", "code", "advice"),
    [
        ({"pixels": ("C9OTHER0000000000000",)}, "40001", "has no permission for this pixel"),
        ({"tokens": ("another",)}, "40105", "is wrong or was revoked"),
    ],
)
def test_refused_test_event_fails_with_tiktoks_code_and_advice(
    sandbox: Sandbox, switches: dict[str, Any], code: str, advice: str
) -> None:
    sandbox.set(**switches)
    result = run("check", **variables(sandbox))
    assert result.exit_code == 1
    assert code in result.output
    assert advice in " ".join(result.output.split())


def test_no_test_event_is_sent_without_a_test_code(sandbox: Sandbox) -> None:
    environ = variables(sandbox)
    del environ["TIKTOK_TEST_EVENT_CODE"]
    assert run("check", **environ).exit_code == 0
    assert list(sandbox.app.state.sandbox.ledger) == []


@pytest.mark.parametrize(
    ("environ", "exit_code", "says"),
    [
        ({}, 1, "consent was never decided"),
        ({"TIKTOK_CONSENT": "implied"}, 0, ""),
        ({"TIKTOK_CONSENT": "implied", "TIKTOK_PIXL_ID": "x"}, 1, "did you mean TIKTOK_PIXEL_ID?"),
    ],
)
def test_strict_fails_where_consent_is_undecided_or_a_variable_is_misspelt(
    environ: dict[str, str], exit_code: int, says: str
) -> None:
    result = run("check", "--strict", TIKTOK_PIXEL_ID=PIXEL, TIKTOK_OUTBOX="memory://", **environ)
    assert (result.exit_code, says in result.output) == (exit_code, True), result.output
    assert run("check", TIKTOK_PIXEL_ID=PIXEL, TIKTOK_OUTBOX="memory://", **environ).exit_code == 0


@pytest.mark.parametrize("place", ["/proc/none/outbox.sqlite3", "{folder}", "{folder}/file/outbox.sqlite3"])
def test_outbox_that_cannot_be_written_fails(place: str, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    result = run("check", TIKTOK_PIXEL_ID=PIXEL, TIKTOK_OUTBOX=f"sqlite:///{place.format(folder=tmp_path)}")
    assert result.exit_code == 1
    assert "cannot be written" in result.output


def test_check_names_the_outbox_file_and_leaves_nothing_behind(tmp_path: Path) -> None:
    path = tmp_path / "new" / "folder" / "outbox.sqlite3"
    result = run("check", "--json", TIKTOK_PIXEL_ID=PIXEL, TIKTOK_OUTBOX=f"sqlite:///{path}")
    assert json.loads(result.stdout)["outbox file"] == str(path)
    assert list(tmp_path.iterdir()) == []
