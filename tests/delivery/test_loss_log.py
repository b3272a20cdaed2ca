"""Lost events are logged once for each reason, with what to do."""

from __future__ import annotations

import logging

import pytest

from tests.delivery.delivery_world import PIXEL, submissions
from tiktok_middleware.delivery.delivery import DeliveryOptions, open_delivery
from tiktok_middleware.delivery.loss_log import LossLog
from tiktok_middleware.reasons import Reason


def lines(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]


def test_each_reason_is_logged_once_with_its_advice(caplog: pytest.LogCaptureFixture) -> None:
    losses = LossLog()
    for _ in range(2):
        losses.note(["overflow", "queue_full", "unstorable", "nothing"])
    assert len(lines(caplog)) == 2
    for line, reason in zip(lines(caplog), (Reason.OVERFLOW, Reason.QUEUE_FULL), strict=True):
        assert line == f"{reason}: {reason.meaning} {reason.advice} (logged once)"


@pytest.mark.parametrize(("event", "code"), [("Purchase", "overflow"), ("Pageview", "overflow_page_view")])
def test_full_outbox_is_logged_when_the_first_event_is_dropped(
    event: str, code: str, caplog: pytest.LogCaptureFixture
) -> None:
    delivery = open_delivery(DeliveryOptions(limit_rows=2, tokens={}, pixels=(PIXEL,)))
    for number in range(4):
        delivery.submit(submissions(1, str(number), event=event)).result(5)
    delivery.close(0)
    assert [line.partition(":")[0] for line in lines(caplog)] == [code]
    assert "tiktok-middleware outbox status" in lines(caplog)[0]
