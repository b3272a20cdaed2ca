"""The judge of the suites' answers sees each kind of damage: a harness that cannot fail would prove nothing."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from tests.soak.harness.judge import PREFIX, Judge
from tests.soak.harness.ledger import Ledger

SNIPPET = b'<script>!function(){}({"p":["C"],"j":"/_tiktok/helper-0123456789abcdef.js"});</script>'
APP = b"<!doctype html><head><title>x</title></head>y"
OURS = APP.replace(b"</head>", SNIPPET + b"</head>")

Headers = Sequence[tuple[str, str]]


def sized(body: bytes, *more: tuple[str, str]) -> Headers:
    return [("Content-Type", "text/html"), ("Content-Length", str(len(body))), *more]


def verdict(
    ours: bytes, headers: Headers, *, app: bytes = APP, app_headers: Headers = (), is_whole: bool = True
) -> tuple[Ledger, bytes]:
    """The ledger after one response, and what the test is handed."""
    ledger = Ledger()
    judge = Judge(ledger, is_head=False, is_busy=False)
    judge.app_started(200, app_headers or sized(app))
    judge.app_sent(app)
    judge.ours_started(headers)
    handed = judge.ours_sent(ours, last=True)
    judge.ended(is_whole=is_whole)
    return ledger, handed


def test_an_injected_page_is_handed_on_as_the_app_sent_it() -> None:
    cookie = ("Set-Cookie", "_ttp=x; Path=/")
    ledger, handed = verdict(OURS, sized(OURS, cookie, ("Cache-Control", "private")))
    assert ledger.faults == []
    assert handed == APP
    assert (ledger.counts["documents"], ledger.counts["documents_injected"]) == (1, 1)


def test_a_document_without_a_script_is_missed() -> None:
    ledger, _ = verdict(APP, sized(APP))
    assert ledger.faults == []
    assert len(ledger.missed) == 1


@pytest.mark.parametrize(
    ("ours", "headers"),
    [
        (OURS[:-1] + b"z", sized(OURS)),
        (OURS[:-1], sized(OURS)),
        (OURS + b" ", sized(OURS)),
        (OURS.replace(SNIPPET, SNIPPET * 2), sized(OURS.replace(SNIPPET, SNIPPET * 2))),
        (OURS.replace(b"<script", b"<script>1</script><script", 1), sized(OURS)),
        (OURS, sized(APP)),
        (OURS, sized(OURS)[:1]),
        (OURS, sized(OURS, ("X-Ours", "1"))),
        (OURS, sized(OURS, ("Set-Cookie", "other=1"))),
    ],
)
def test_damage_is_a_fault(ours: bytes, headers: Headers) -> None:
    ledger, _ = verdict(ours, headers)
    assert ledger.faults != []


def test_a_lost_header_of_the_app_is_a_fault() -> None:
    ledger, _ = verdict(OURS, sized(OURS), app_headers=sized(APP, ("Vary", "Cookie")))
    assert len(ledger.faults) == 1


def test_an_etag_may_go_only_with_a_changed_body() -> None:
    tagged = sized(APP, ("ETag", '"1"'))
    assert verdict(OURS, sized(OURS), app_headers=tagged)[0].faults == []
    marked = sized(OURS, ("ETag", 'W/"1-s0a1b2c3d"'))
    assert verdict(OURS, marked, app_headers=tagged)[0].faults == []
    assert verdict(OURS, sized(OURS, ("ETag", '"1"')), app_headers=tagged)[0].faults != []
    assert verdict(APP, sized(APP), app_headers=tagged)[0].faults != []


def test_what_broke_off_may_lack_its_end_and_nothing_else() -> None:
    assert verdict(OURS[:-1], sized(OURS), is_whole=False)[0].faults == []
    assert verdict(OURS[:-2] + b"z", sized(OURS), is_whole=False)[0].faults != []


def test_a_busy_run_makes_a_document_of_a_fragment_and_hands_on_the_fragment() -> None:
    judge = Judge(Ledger(), is_head=False, is_busy=True)
    sent = judge.app_started(200, sized(b"Hello"))
    assert dict(sent)["Content-Length"] == str(len(PREFIX) + 5)
    assert judge.app_sent(b"Hello") == PREFIX + b"Hello"
    judge.ours_started(sent)
    assert judge.ours_sent(PREFIX + SNIPPET + b"Hello") == b"Hello"
