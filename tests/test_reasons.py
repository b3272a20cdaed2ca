"""Every skipped action has a reason code with a meaning, and is logged once unless it is expected."""

from __future__ import annotations

import logging

import pytest

from tiktok_middleware._log import NoticeLog
from tiktok_middleware.reasons import COUNTERS, SCOPES, Reason, reason_of


@pytest.mark.parametrize("reason", Reason)
def test_code_is_snake_case_and_meaning_and_advice_are_sentences(reason: Reason) -> None:
    assert reason.value == reason.name.lower()
    assert reason.value.replace("_", "").isalnum()
    for sentence in filter(None, (reason.meaning, reason.advice)):
        assert sentence[0].isupper() or sentence.startswith("TIKTOK_")
        assert sentence.endswith(".")


@pytest.mark.parametrize("reason", [reason for reason in Reason if not reason.is_expected])
def test_unexpected_reason_has_advice(reason: Reason) -> None:
    assert reason.advice


@pytest.mark.parametrize("reason", Reason)
@pytest.mark.parametrize("scope", ["", *SCOPES])
def test_reason_is_found_with_and_without_a_scope(reason: Reason, scope: str) -> None:
    assert reason_of(f"{scope}{reason}") is reason


@pytest.mark.parametrize(
    "counter", ["", "_", "browser_", "nothing", "other_too_large", "browser_nothing", *sorted(COUNTERS)]
)
def test_other_counters_have_no_reason(counter: str) -> None:
    assert reason_of(counter) is None


def test_first_occurrence_is_logged_with_meaning_and_advice(caplog: pytest.LogCaptureFixture) -> None:
    log = NoticeLog()
    for _ in range(3):
        log.count("browser_too_large")
    log.count("too_large")
    assert [record.levelno for record in caplog.records] == [logging.WARNING] * 2
    first = caplog.records[0].getMessage()
    assert first.startswith("browser_too_large: the browser's copy of an event was skipped. The event does not fit")
    assert Reason.TOO_LARGE.advice in first
    assert log.counts == {"browser_too_large": 3, "too_large": 1}


@pytest.mark.parametrize("counter", ["denied", "browser_bot", "prefetch", "tracked", "snapshot_forged"])
def test_expected_reason_is_counted_without_a_line(counter: str, caplog: pytest.LogCaptureFixture) -> None:
    log = NoticeLog()
    log.count(counter)
    assert log.counts == {counter: 1}
    assert caplog.records == []
