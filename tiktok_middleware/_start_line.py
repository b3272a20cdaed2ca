"""Log lines of a process when its client starts: its configuration, and what is unusual about it."""

from __future__ import annotations

import logging
import os
import re
import sys
from typing import NamedTuple
from urllib.parse import urlsplit

from tiktok_middleware._development import development_server
from tiktok_middleware._printable import own_logger, without_password
from tiktok_middleware.config import Config
from tiktok_middleware.delivery.outbox.location import outbox_risk, outbox_stopped

__all__ = ["StartLine", "announce", "start_line"]

log: logging.Logger = own_logger("tiktok_middleware")

_said: set[str] = set()


class StartLine(NamedTuple):
    """Summary of a configuration.

    Attributes:
        text: the configuration, in one line.
        unusual: differences from a usual production setup, one sentence each; may be empty.
    """

    text: str
    unusual: tuple[str, ...]


def start_line(config: Config, outbox: str, server: str = "") -> StartLine:
    """Return the start line of a configuration.

    Args:
        config: the options.
        outbox: address of the outbox that is used.
        server: the development server that runs the process, from :func:`development_server`.
    """
    if not config.is_on:
        if not config.pixel_id:
            return StartLine("off", ("no pixel: set TIKTOK_PIXEL_ID, else responses pass untouched",))
        return StartLine("off (TIKTOK_ENABLED=false): responses pass untouched", ())
    channels = ", ".join(
        f"{name} {'off: ' + reason if reason else 'on, ' + host}"
        for name, reason, host in (
            ("browser", config.browser_reason, _host(config.pixel_url)),
            ("server", config.server_reason, _host(config.api_url)),
        )
    )
    by = f" because of {server}" if server and config.environment == "development" else ""
    place = without_password(outbox)
    text = f"environment {config.environment}{by}; {channels}; consent {config.consent}; outbox {place}"
    return StartLine(text, tuple(_unusual(config, outbox)))


def announce(config: Config, outbox: str, said: set[str] = _said) -> None:
    """Log the start line once per process and configuration: WARNING if something is unusual, else INFO.

    Args:
        config: the options.
        outbox: address of the outbox that is used.
        said: the lines that were logged before.
    """
    for name, nearest in Config.strangers().items():
        if nearest:
            _once(said, logging.WARNING, f"{name} is no option; did you mean {nearest}?")
    text, unusual = start_line(config, outbox, development_server(sys.argv, os.environ))
    if unusual:
        _once(said, logging.WARNING, f"TikTok middleware: {text}. {'; '.join(unusual)}.")
    else:
        _once(said, logging.INFO, f"TikTok middleware: {text}.")


def _unusual(config: Config, outbox: str) -> list[str]:
    found = [text for text in (outbox_stopped(outbox),) if text]
    if config.server_reason == "no_token":
        found.append("no access token: set TIKTOK_ACCESS_TOKEN, else only browsers send events")
    if config.test_event_code:
        found.append("TIKTOK_TEST_EVENT_CODE is set: server events go to Test Events and count for nothing")
    if config.environment != "production":
        found.append(
            f"TIKTOK_ENVIRONMENT={config.environment}: without a test code nothing goes to TikTok's own hosts;"
            " set TIKTOK_ENVIRONMENT=production to send"
            if config.is_tiktok_api
            else f"TIKTOK_ENVIRONMENT={config.environment}: server events go to {_host(config.api_url)}, not to TikTok"
        )
    if not config.is_consent_decided:
        found.append(
            "consent was never decided: visitors count as having agreed; set TIKTOK_CONSENT (implied keeps this)"
        )
    if outbox.startswith("memory:"):
        found.append("the outbox is in memory: events are lost with the process; set TIKTOK_OUTBOX=sqlite:////path")
    elif config.environment != "development" and (risk := outbox_risk(outbox)):
        found.append(f"The outbox {without_password(outbox)} is {risk}, by TIKTOK_OUTBOX=sqlite:////path")
    found += [
        f"pixel id {pixel} is not 20 upper-case letters and digits, as TikTok's are"
        for pixel in config.pixels
        if not re.fullmatch(r"[A-Z0-9]{20}", pixel)
    ]
    return found


def _host(url: str) -> str:
    parts = urlsplit(url)
    return parts.netloc.rpartition("@")[2]


def _once(said: set[str], level: int, message: str) -> None:
    if message not in said:
        said.add(message)
        log.log(level, "%s", message)
