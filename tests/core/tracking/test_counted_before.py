"""An event that was counted before says so in its channels, with the time of the first."""

from __future__ import annotations

import logging

import pytest

from tiktok_middleware._log import NoticeLog
from tiktok_middleware.core.events.event import Channel, Claim, Event, OutboxEntry, Record, channels_closed
from tiktok_middleware.core.tracking.counted_before import note_claim

FIRST = 1_760_000_000.0
RECORD = Record("C01", "web", "Purchase", "id-1", int(FIRST), b"{}")
BEFORE = Channel(sends=False, reason="already_counted", first_at=FIRST)
OPEN = Channel(sends=True)


def noted(claim: Claim, *, once: bool = True, browser: bool = True, server: bool = True) -> tuple[Event, NoticeLog]:
    event = Event("Purchase", "id-1", int(FIRST), {}, channels_closed("", ""), once=once)
    log = NoticeLog()
    entry = OutboxEntry("id-1", (RECORD,) if server else (), browser=browser, once=once)
    note_claim(event, entry, claim, log)
    return event, log


@pytest.mark.parametrize("asked", [(True, True), (True, False), (False, True)])
@pytest.mark.parametrize("won", [(True, True), (True, False), (False, True), (False, False)])
def test_each_copy_that_was_counted_says_when(asked: tuple[bool, bool], won: tuple[bool, bool]) -> None:
    browser, server = asked[0] and won[0], asked[1] and won[1]
    event, log = noted(Claim(browser, server, first_at=FIRST), browser=asked[0], server=asked[1])
    lost = [asked[0] and not browser, asked[1] and not server]
    assert [event.channels.browser, event.channels.server] == [BEFORE if one else OPEN for one in lost]
    assert log.counts["already_counted"] == any(lost)


@pytest.mark.parametrize(
    "claim",
    [
        Claim(browser=True, server=False),  # no time: the outbox was full, or could not be written
        Claim(browser=False, server=False, is_decided=False),  # the outbox has not answered yet
    ],
)
def test_copy_that_is_missing_for_another_reason_was_not_counted(claim: Claim) -> None:
    event, log = noted(claim)
    assert event.channels == channels_closed("", "")
    assert not log.counts


def test_event_without_once_is_never_counted_before() -> None:
    event, log = noted(Claim(browser=False, server=False, first_at=FIRST), once=False)
    assert event.channels == channels_closed("", "")
    assert not log.counts


@pytest.mark.parametrize(
    ("first_at", "said"), [(FIRST, " at 2025-10-09T08:53:20Z"), (0.0, ""), (1e30, ""), (float("nan"), "")]
)
def test_every_one_is_logged_with_the_time_of_the_first(
    first_at: float, said: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, "tiktok_middleware")
    event, log = noted(Claim(browser=False, server=False, first_at=first_at))
    note_claim(event, OutboxEntry("id-1", browser=True, once=True), Claim(browser=False, server=False), log)
    levels = [record.levelname for record in caplog.records]
    assert levels == ["WARNING", "DEBUG", "DEBUG"]
    assert "tiktok-middleware outbox forget --once KEY" in caplog.messages[0]
    assert (
        caplog.messages[1]
        == f"already_counted: Purchase id-1 was counted first{said}; not sent again: browser and server copy"
    )
