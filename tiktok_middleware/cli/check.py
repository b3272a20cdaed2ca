"""``tiktok-middleware check``: print the configuration and its faults, and send a test event to TikTok."""

from __future__ import annotations

import contextlib
import json
import logging
import tempfile
from collections.abc import Iterator
from datetime import datetime, timezone
from pathlib import Path

import click

from tiktok_middleware._option_parsers import masked
from tiktok_middleware._printable import without_password
from tiktok_middleware._start_line import start_line
from tiktok_middleware.cli.data_map import data_map
from tiktok_middleware.cli.outbox_file import opened_outbox
from tiktok_middleware.config import Config
from tiktok_middleware.core.consent.missing_platform import silence_of
from tiktok_middleware.core.events_api.answers import Delivered, Verdict
from tiktok_middleware.delivery.outbox.environment import environment_of
from tiktok_middleware.delivery.outbox.location import (
    in_words,
    is_shared,
    outbox_path,
    outbox_risk,
    outbox_stopped,
    outbox_url,
    spool_path,
)
from tiktok_middleware.errors import TikTokError

__all__ = ["check"]

#: What TikTok's codes mean, and what to do (TikTok's list of return codes).
_ADVICE = {
    "40001": "the access token has no permission for this pixel: make a token in this pixel's Events Manager",
    "40002": "TikTok refused a parameter of the test event: its message names it",
    "40104": "TikTok received no access token: set TIKTOK_ACCESS_TOKEN",
    "40105": "the access token is wrong or was revoked: make a new one in Events Manager",
}


@click.command(
    epilog="Example: TIKTOK_PIXEL_ID=C5ABCDEFGHIJKLMNOPQR tiktok-middleware check. In a pipeline:"
    " tiktok-middleware check --strict --json"
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of a table.")
@click.option("--strict", is_flag=True, help="Fail where pixel or consent are not set, or a variable is misspelt.")
@click.option("--data-map", "wants_data_map", is_flag=True, help="Print what is shared with TikTok, as Markdown.")
@click.option("--html", "as_html", is_flag=True, help="With --data-map: print a page instead.")
def check(as_json: bool, strict: bool, wants_data_map: bool, as_html: bool) -> None:
    """Read the configuration from the environment, and print its meaning or its faults.

    With TIKTOK_TEST_EVENT_CODE one test event is sent, and TikTok's answer is printed. Exit code 1 if something is
    wrong: a malformed value, an outbox that cannot be written, a refused test event.
    """
    config = _config()
    if wants_data_map:
        found = data_map(config, datetime.now(timezone.utc).date())
        document = found.as_html() if as_html else found.as_markdown()
        click.echo(json.dumps(found.as_json(), indent=2) if as_json else document, nl=as_json)
        return
    rows = _rows(config)
    faults = [*_outbox_faults(config)]
    if config.is_on and config.test_event_code:
        answer = _test_event(config)
        rows["test event"], is_accepted = _in_words(answer)
        if not is_accepted:
            faults.append(f"the test event was not accepted: {rows['test event']}")
    if strict:
        faults += _strict_faults(config)
    _print(rows, as_json)
    if faults:
        raise click.ClickException("; ".join(faults))
    if not as_json:
        click.echo(_passed(config, strict) + (' See the row "unusual".' if "unusual" in rows else ""))


def _passed(config: Config, strict: bool) -> str:
    """Return the last line of a check without faults."""
    if not config.is_on:
        return "No fault found. The middleware is off: responses pass untouched."
    if strict:
        return "No fault found, also by --strict."
    return "No fault found. --strict also fails where pixel or consent are not set, or a variable is misspelt."


def _config() -> Config:
    from tiktok_middleware.client import Client  # noqa: PLC0415  # also imports delivery, which other commands do not need

    # The table contains what a process logs at its start.
    logging.getLogger("tiktok_middleware").addHandler(logging.NullHandler())
    try:
        config = Config.from_env()
        Client(config).close(0)  # creating it looks up consent platforms, consent functions and sinks
    except TikTokError as error:
        raise click.ClickException(str(error)) from None
    return config


def _rows(config: Config) -> dict[str, str]:
    rows = {
        "pixels": ", ".join(config.pixels) or "none: everything passes through",
        **({"pixels by host": config.pixel_by_host} if config.pixel_by_host else {}),
        "access token": ", ".join(map(masked, config.tokens)) or "none: browser channel only",
        "signing key": _signing_key(config),
        "environment": config.environment,
        "browser channel": config.browser_reason or "on" if config.is_on else "off",
        "server channel": config.server_reason or "on" if config.is_on else "off",
        "page views": config.page_view,
        "consent": config.consent,
        "consent decided": "yes" if config.is_consent_decided else "no: set TIKTOK_CONSENT",
        **_consent_cookies(config),
        "global privacy control": config.gpc,
        "outbox": _outbox(config) if config.is_on else "none",
        "outbox file": _outbox_file(config),
        "outbox environment": environment_of(config.api_url, config.test_event_code, config.environment),
        "switches": _stopped(config) or "nothing is stopped",
        "Events API": config.api_url,
        "pixel script": config.pixel_url,
    }
    strangers = Config.strangers()
    if strangers:
        rows["no options"] = ", ".join(
            f"{name} (did you mean {nearest}?)" if nearest else name for name, nearest in strangers.items()
        )
    unusual = start_line(config, outbox_url(config)).unusual if config.is_on else ()
    if unusual:
        rows["unusual"] = "; ".join(unusual)
    return rows


def _consent_cookies(config: Config) -> dict[str, str]:
    """Return the row of the consent cookies, with the possible reasons if no visitor has them; {} if none is read."""
    if (silence := silence_of(config.consent)) is None:
        return {}
    return {"consent cookie": f"{' or '.join(silence.names)}; where no visitor has it: {silence.reasons}"}


def _outbox(config: Config) -> str:
    """Return the outbox's URL, with the risk of its location if there is one."""
    url = outbox_url(config)
    if is_shared(url):
        return without_password(url)
    risk = outbox_risk(url) if config.is_on else ""
    return f"{url} is {risk}" if risk else url


def _signing_key(config: Config) -> str:
    """Return where the keys come from that sign events, cookies and snapshots."""
    if config.secret_key:
        return "TIKTOK_SECRET_KEY"
    source = "access token" if config.access_token else "pixel id"
    return f"the framework's secret; without one, derived from the {source}: set TIKTOK_SECRET_KEY"


def _outbox_file(config: Config) -> str:
    """Return the path of the file in which events wait on this host; ``none`` without one."""
    path = (outbox_path(outbox_url(config)) or spool_path(config)) if config.is_on else None
    return str(path or "none")


def _stopped(config: Config) -> str:
    """Return, in one sentence, what an operator has stopped; empty if nothing."""
    url = outbox_url(config)
    if not is_shared(url):
        return outbox_stopped(url)
    try:
        with opened_outbox(url) as admin:
            return in_words(admin.switches())
    except click.ClickException:
        return "unknown: the outbox does not answer"


def _shared_faults(url: str) -> Iterator[str]:
    """Yield the reason why the shared outbox cannot be used, if there is one."""
    try:
        with opened_outbox(url) as admin:
            admin.set_switches(admin.switches())
    except click.ClickException as error:
        yield f"the shared outbox cannot be used ({error.message}): check TIKTOK_OUTBOX and `outbox migrate`"


def _outbox_faults(config: Config) -> Iterator[str]:
    """Yield the reason why the outbox cannot be written, if there is one."""
    if config.is_on and is_shared(config.outbox):
        yield from _shared_faults(config.outbox)
        return
    path = outbox_path(outbox_url(config)) if config.is_on else None
    if path is None:
        return
    try:
        if path.is_dir():
            raise IsADirectoryError(21, "Is a directory")
        if path.exists():
            with path.open("r+b"):
                return
        with _folder(path.parent), tempfile.TemporaryFile(dir=path.parent):
            return
    except OSError as error:
        yield f"the outbox {path} cannot be written ({error.strerror}): set TIKTOK_OUTBOX=sqlite:////path"


@contextlib.contextmanager
def _folder(path: Path) -> Iterator[None]:
    """Create the folder and its missing parents, and remove those that were created after the block."""
    missing = [folder for folder in (path, *path.parents) if not folder.exists()]
    path.mkdir(parents=True, exist_ok=True)
    try:
        yield
    finally:
        for folder in missing:
            with contextlib.suppress(OSError):
                folder.rmdir()


def _test_event(config: Config) -> Verdict | str:
    """Send one test event; return TikTok's answer, or the reason why none was sent."""
    from tiktok_middleware.cli.send import answers_of, records_of  # noqa: PLC0415  # also imports httpx

    if config.server_reason:
        return config.server_reason
    try:
        return answers_of(config, records_of(config, "Contact", "web", {"external_id": "tiktok-middleware-check"}))[0]
    except TikTokError as error:
        return str(error)


def _in_words(answer: Verdict | str) -> tuple[str, bool]:
    if isinstance(answer, str):
        return f"not sent: {answer}", False
    if isinstance(answer, Delivered):
        return "accepted (code 0): it is shown under Test Events in Events Manager", True
    code, _, _ = answer.reason.partition(" ")
    advice = _ADVICE.get(code)
    return f"{answer.reason}{f'; {advice}' if advice else ''}", False


def _strict_faults(config: Config) -> Iterator[str]:
    if not config.pixel_id:
        yield "no pixel: set TIKTOK_PIXEL_ID, else responses pass untouched"
    if config.enabled and not config.is_consent_decided:
        yield "consent was never decided: set TIKTOK_CONSENT (implied keeps today's behaviour)"
    for name, nearest in Config.strangers().items():
        yield f"{name} is no option" + (f"; did you mean {nearest}?" if nearest else "")


def _print(rows: dict[str, str], as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps(rows, indent=2))
        return
    from rich.console import Console  # noqa: PLC0415  # only the table needs it
    from rich.table import Table  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415

    table = Table(show_header=False, box=None)
    table.add_column()
    table.add_column(overflow="fold")
    for name, value in rows.items():
        table.add_row(name, Text(value))  # a path may contain characters that rich would read as markup
    Console().print(table)
