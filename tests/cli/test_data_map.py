"""What a configuration shares is told as it is, for people who do not read code."""

from __future__ import annotations

import json
import re
from datetime import datetime, timezone

import html5lib
import pytest
from click.testing import CliRunner

from tiktok_middleware.cli import main as cli
from tiktok_middleware.cli.data_map import data_map
from tiktok_middleware.cli.data_map_sharing import PURPOSES
from tiktok_middleware.config import Config
from tiktok_middleware.core.events.event import PAGE_VIEW
from tiktok_middleware.core.events.event_names import STANDARD_EVENTS
from tiktok_middleware.delivery.outbox.base import PAIRED_TTL_S
from tiktok_middleware.delivery.outbox.deferred import DEFERRED_LIFE_S
from tiktok_middleware.delivery.outbox.expiry import IMPORTED_TTL_S, UNPAIRED_TTL_S
from tiktok_middleware.delivery.outbox.sqlite.once_claims import ONCE_RETENTION_S

PIXEL = "C0000000000000000001"
TOKEN = "5f4dcc3b5aa765d61d8327deb882cf99"


def rows(title: str, **options: object) -> list[dict[str, str]]:
    found = data_map(Config(**{"pixel_id": PIXEL, "access_token": TOKEN, **options})).as_json()  # type: ignore[arg-type]
    return next(rows for name, rows in found.items() if title in name)


def row(title: str, first: str, **options: object) -> list[str]:
    return next(list(cells.values()) for cells in rows(title, **options) if next(iter(cells.values())) == first)


def test_it_names_who_receives_what() -> None:
    assert row("receives", "server")[1:] == ["https://business-api.tiktok.com/open_api/v1.3", PIXEL, "on"]
    assert row("receives", "browser")[3] == "on"
    assert row("receives", "server", access_token="")[3] == "no_token"
    assert row("receives", "browser", snippet="off")[3] == "snippet_off"
    assert row("receives", "server", enabled=False)[3] == "off"


def test_it_says_what_each_answer_means() -> None:
    assert "cannot occur" in row("each answer", "unknown")[1]
    assert row("each answer", "unknown", consent="onetrust")[1].startswith("nothing is requested")
    assert row("each answer", "refused", consent="onetrust")[1:] == [
        "nothing is loaded",
        "ours are deleted",
        "nothing is sent",
    ]
    assert row("each answer", "Global Privacy Control")[1:] == [
        "nothing is loaded",
        "ours are deleted",
        "nothing is sent",
    ]
    assert "limited data use" in row("each answer", "Global Privacy Control", gpc="limit")[1]
    assert "limited data use" in row("each answer", "granted", limited_data_use=True)[3]


def test_it_says_what_is_hashed() -> None:
    assert "SHA-256" in row("once consent", "e-mail address, phone number, external id")[3]
    assert "SHA-256" in row("once consent", "first name, last name, zip code")[3]
    assert "plain" in row("once consent", "city, state, country")[3]
    assert "session" in row("once consent", "address of the page", url_allow="session")[3]
    assert "none may" in row("once consent", "events that a page's own script sends")[3]
    assert "alone" in row("once consent", "events that a page's own script sends", browser_events="Search")[3]
    assert row("once consent", "event name, id, time", access_token="")[1:3] == ["yes", "no"]
    assert row("once consent", "event name, id, time", snippet="off")[1:3] == ["no", "yes"]


def test_it_says_what_the_pixel_does_by_itself() -> None:
    clicks = "clicks, page metadata (automatic events)"
    assert row("by itself", clicks)[1] == "on"
    assert row("by itself", clicks, auto_events=False)[1] == "off"
    assert row("by itself", "page views", page_view="off")[1] == "none on page load"
    assert row("by itself", "all of it on some paths", exclude="/health/*")[1] == "/health/*"
    assert "no page carries the pixel" in row("by itself", "everything below", snippet="off")[1]


def test_cookies_are_those_that_the_code_sets() -> None:
    assert row("Cookies", "ttclid")[1:4] == ["30 days", "registrable domain", "granted"]
    assert row("Cookies", "_ttp", cookie_domain="shop.example")[1:3] == ["396 days", "shop.example"]
    assert row("Cookies", "_tt_carry.*")[1] == "60 minutes"
    assert row("Cookies", "_tt_carry_sealed")[1] == "60 minutes"
    assert row("Cookies", "_tt_consent")[1] == "180 days"
    assert "made by us" in row("Cookies", "_ttp", ttp="mint")[4]


def test_it_says_what_is_kept_and_where() -> None:
    assert row("kept", "events that wait", outbox="memory://")[1] == "memory of the process"
    assert row("kept", "events that wait", outbox="sqlite:///outbox.db")[1] == "a file on this host (mode 0600)"
    shared = row("kept", "events that wait", outbox="postgresql://u:hunter2@h/d")[1]
    assert shared.startswith("the shared PostgreSQL database; while it does not answer, a file on this host")
    assert row("kept", "events that wait for a browser's word (envelopes)")[2].startswith("1 day, signed")
    assert "400 days" in row("kept", "snapshot() of a visitor")[2]
    assert "messages to Celery" not in [cells["data"] for cells in rows("kept")]
    assert row("kept", "messages to Celery", sink="celery", celery_broker="memory://")[1] == "your broker"


def test_it_names_event_sets_bridges_and_proxies_where_there_are_some() -> None:
    assert row("receives", "server, crm events", crm_id="7654321")[2:] == ["7654321", "on"]
    assert row("receives", "server, crm events", crm_id="7654321", access_token="")[3] == "no_token"
    assert [cells["channel"] for cells in rows("receives")] == ["browser", "server", "this site's own endpoint"]
    assert "asks osano for" in row("each answer", "unknown", consent="bridge:osano")[1]
    assert "for a changed mind" in row("each answer", "refused", consent="bridge:osano")[1]
    assert "asks" not in row("each answer", "unknown", consent="onetrust")[1]
    assert row("once consent", "IP address")[3] == "plain; that of the connection"
    assert (
        "cf-connecting-ip" in row("once consent", "IP address", trusted_proxies="2", proxy_header="cf-connecting-ip")[3]
    )


def test_limits_that_it_tells_are_those_of_the_code() -> None:
    assert PAIRED_TTL_S == 47 * 3600
    assert (UNPAIRED_TTL_S, IMPORTED_TTL_S) == (7 * 86_400, 28 * 86_400)
    assert ONCE_RETENTION_S == 400 * 86_400
    assert DEFERRED_LIFE_S == 86_400


@pytest.mark.parametrize("flags", [["--data-map"], ["--data-map", "--json"], ["--data-map", "--html"]])
def test_the_command_prints_it(flags: list[str]) -> None:
    environ = {"TIKTOK_PIXEL_ID": PIXEL, "TIKTOK_ACCESS_TOKEN": TOKEN, "TIKTOK_OUTBOX": "memory://"}
    result = CliRunner().invoke(cli.main, ["check", *flags], env=environ)
    assert result.exit_code == 0, result.output
    assert TOKEN not in result.output
    if "--json" in flags:
        cookies = next(found for title, found in json.loads(result.output).items() if title.startswith("Cookies"))
        assert {"_ttp", "ttclid"} <= {cookie["name"] for cookie in cookies}
    elif "--html" in flags:
        document = html5lib.parse(result.output, namespaceHTMLElements=False)
        assert len(document.findall(".//table")) == len(document.findall(".//h2")) == 8
        assert f"on {datetime.now(timezone.utc).date()}" in result.output
    else:
        widths = {line.count(" | ") for line in re.findall(r"(?m)^\|.*$", result.output)}
        assert result.output.startswith("# What is shared with TikTok\n")
        assert min(widths) > 1


def test_a_bar_in_a_value_does_not_end_a_cell() -> None:
    found = data_map(Config(pixel_id=PIXEL, exclude="/a|b"))
    assert "/a\\|b" in found.as_markdown()


def test_every_standard_event_has_a_purpose() -> None:
    named = {event for _, events in PURPOSES for event in events}
    assert named >= STANDARD_EVENTS | {PAGE_VIEW}


def test_before_a_choice_nobody_receives_events_unless_consent_is_implied() -> None:
    assert {cells["before a choice"] for cells in rows("by purpose", consent="required")} == {"nobody"}
    assert "TikTok" in rows("by purpose", consent="implied")[0]["before a choice"]
    assert "nobody" in rows("by purpose", enabled=False)[0]["after consent"]


def test_cookies_of_the_pixel_are_named_with_their_switch() -> None:
    found = {cells["name"]: cells for cells in rows("own script sets")}
    assert {"_ttp", "_tt_enable_cookie", "ttcsid", f"ttcsid_{PIXEL}", "cookies of tiktok.com"} == set(found)
    assert all("Events Manager" in cells["turned off by"] for cells in found.values())
    assert "Enhanced Data Postback" in str(rows("by itself"))


def test_no_cookie_stands_twice() -> None:
    names = [cells["name"] for cells in rows("Cookies (first-party")]
    assert len(names) == len(set(names))


def test_values_cannot_end_a_cell_of_the_page() -> None:
    text = data_map(Config(pixel_id=PIXEL, cookie_domain="host", consent="cookie:a=<b>")).as_html()
    assert "&lt;b&gt;" in text
    assert "<b>" not in text


def test_it_says_which_keys_may_not_leave() -> None:
    shared = "shared once consent"
    assert row(shared, "e-mail address, phone number, external id")[1:3] == ["yes", "yes"]
    assert row(shared, "the browser's first language")[2] == "yes"
    limited = {"match_keys": "email,ip"}
    assert row(shared, "e-mail address", **limited)[1:3] == ["yes", "yes"]
    assert row(shared, "phone number, external id", **limited)[1:4] == ["no", "no", "not sent: TIKTOK_MATCH_KEYS"]
    assert row(shared, "city, state, country", **limited)[1:3] == ["no", "no"]
    assert row(shared, "IP address", **limited)[2] == "yes"
    assert row(shared, "user agent", **limited)[2] == "no"
    assert row(shared, "click id (ttclid)", **limited)[2] == "no"
