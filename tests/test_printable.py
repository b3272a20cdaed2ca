"""Text of strangers forges no log line, and no token stands in a ``repr``."""

from __future__ import annotations

import logging
import re
from pathlib import Path
from typing import Any

import pytest

from tiktok_middleware import Client, Config
from tiktok_middleware._log import NoticeLog
from tiktok_middleware._printable import own_logger, printable
from tiktok_middleware.core.events_api.answers import Rejected, read_answer
from tiktok_middleware.delivery.outbox.expiry import shown_reason

HOSTILE = "bad\nERROR forged\r\x1b[31m\x00\x85\u2028\u202e\ud800 end"
CONTROL = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\ud800-\udfff]")
PACKAGE = Path(__file__).parents[1] / "tiktok_middleware"


def lines_of(caplog: pytest.LogCaptureFixture) -> list[str]:
    formatter = logging.Formatter("%(levelname)s %(message)s")
    return [formatter.format(record) for record in caplog.records]


def test_control_characters_are_escaped() -> None:
    assert printable("a\nb\x1b[0m\t\u202e") == "a\\nb\\x1b[0m\\t\\u202e"
    assert printable("Grüße, 日本 🔥") == "Grüße, 日本 🔥"


@pytest.mark.parametrize("name", ["tiktok_middleware", "tiktok_middleware.delivery.sender.relay"])
def test_logged_text_of_strangers_stays_on_its_line(caplog: pytest.LogCaptureFixture, name: str) -> None:
    own_logger(name).warning("refused: %s", HOSTILE)
    own_logger(name).warning(HOSTILE)
    assert [line.count("\n") for line in lines_of(caplog)] == [0, 0]
    assert not CONTROL.search("".join(lines_of(caplog)))


@pytest.mark.swallows
def test_no_exception_text_reads_as_a_line_of_the_log(caplog: pytest.LogCaptureFixture) -> None:
    with pytest.raises(ValueError, match="forged") as raised:
        int(HOSTILE)
    NoticeLog().failure("request", raised.value)
    (text,) = lines_of(caplog)
    assert "Traceback" in text
    assert all(line.startswith("  ") for line in text.splitlines()[1:])
    assert not CONTROL.search(text)


def test_reason_of_an_answer_is_one_printable_line() -> None:
    body = b'{"code": 40002, "message": "data.0\\nERROR\\u001b[2J", "request_id": "a\\rb"}'
    verdict = read_answer(200, body, None)
    assert isinstance(verdict, Rejected)
    assert verdict.reason == "40002 data.0\\nERROR\\x1b[2J (request a\\rb)"
    assert not CONTROL.search(shown_reason(HOSTILE))


def test_every_logger_of_the_package_is_printable() -> None:
    """The sandbox and the command line speak to the developer who started them."""
    others = [
        path.relative_to(PACKAGE).as_posix()
        for path in PACKAGE.rglob("*.py")
        if re.search(r"=\s*logging\.getLogger\(", path.read_text("utf-8"))
    ]
    allowed = {"_printable.py"}
    assert {path for path in others if not path.startswith(("sandbox/", "cli/"))} <= allowed | {
        "delivery/sender/events_api.py"
    }


def test_no_repr_shows_a_token_or_key() -> None:
    secrets: dict[str, Any] = {
        name: f"{name}-0123456789abcdef0123456789abcdef"
        for name in ("access_token", "offline_token", "crm_token", "secret_key")
    }
    config = Config(
        pixel_id="C0000000000000000001", offline_id="1" * 10, crm_id="2" * 10, outbox="memory://", **secrets
    )
    client = Client(config)
    client.delivery.wake()
    shown: dict[str, str] = {}
    _walk(client, "client", shown)
    assert len(shown) > 20
    assert {path: text for path, text in shown.items() if any(secret in text for secret in secrets.values())} == {}
    client.close(1)


def _walk(one: object, path: str, shown: dict[str, str], depth: int = 0) -> None:
    """The ``repr`` of every object of ours that can be reached."""
    if depth > 6 or path in shown:
        return
    if type(one).__module__.startswith("tiktok_middleware"):
        shown[path] = repr(one)
        slots = [name for kind in type(one).__mro__ for name in getattr(kind, "__slots__", ())]
        names = [
            *getattr(one, "__dict__", {}),
            *(slot for slot in slots if isinstance(slot, str) and hasattr(one, slot)),
        ]
        for name in names:
            _walk(getattr(one, name), f"{path}.{name}", shown, depth + 1)
