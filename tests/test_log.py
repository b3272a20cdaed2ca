"""What was noticed is counted each time and said once."""

from __future__ import annotations

import logging

import pytest

from tiktok_middleware._log import NoticeLog, shares


def test_a_reason_is_counted_each_time() -> None:
    log = NoticeLog()
    for _ in range(3):
        log.count("late")
    assert log.counts == {"late": 3}
    assert NoticeLog().counts == {}


def test_a_cause_is_said_once(caplog: pytest.LogCaptureFixture) -> None:
    log = NoticeLog()
    for _ in range(3):
        log.once("cause", "said %s once")
    log.once("other", "another")
    assert [(record.name, record.levelno, record.getMessage()) for record in caplog.records] == [
        ("tiktok_middleware", logging.WARNING, "said %s once"),
        ("tiktok_middleware", logging.WARNING, "another"),
    ]


def test_endless_causes_do_not_fill_memory_or_log(caplog: pytest.LogCaptureFixture) -> None:
    log = NoticeLog()
    for number in range(5000):
        log.once(f"cause {number}", "said")
    assert len(caplog.records) == len(log._said) == 1000


@pytest.mark.swallows
def test_a_mistake_of_ours_is_one_error_with_its_traceback_and_counted_each_time(
    caplog: pytest.LogCaptureFixture, swallowed: list[BaseException]
) -> None:
    log = NoticeLog()
    for _ in range(3):
        log.failure("search", ValueError("ours"))
    log.failure("search", KeyError("ours"))
    assert log.counts == {"failures": 4}
    assert [record.levelno for record in caplog.records] == [logging.ERROR, logging.ERROR]
    assert caplog.records[0].exc_info is not None
    assert caplog.records[0].getMessage() == "search failed, the response passes untouched"
    assert len(swallowed) == 4


def test_shares_are_parts_of_the_whole() -> None:
    assert shares({}) == {}
    assert shares({"granted": 2, "gpc": 1}) == {"granted": 0.6667, "gpc": 0.3333}


@pytest.mark.parametrize(("is_development", "level"), [(False, logging.DEBUG), (True, logging.WARNING)])
def test_a_detail_is_said_each_time_and_seen_in_development(
    is_development: bool, level: int, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    log = NoticeLog(is_development=is_development)
    for _ in range(2):
        log.detail("counted %s before")
    assert [(record.levelno, record.getMessage()) for record in caplog.records] == [(level, "counted %s before")] * 2
