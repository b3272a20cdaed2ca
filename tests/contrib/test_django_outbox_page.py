"""The outbox in Django's admin: what staff see, what they may do, and what it does to the outbox."""

from __future__ import annotations

import os
import re
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from hashlib import sha256
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import httpx
import pytest
from msgspec.structs import replace

from tests.delivery.delivery_world import PIXEL, postgres_outbox, submission
from tests.delivery.outbox.operator_world import JANE, JOHN, World, sale
from tiktok_middleware.core.events.event import OutboxEntry
from tiktok_middleware.delivery.outbox.dead_letters import DEAD, DELIVERED, WAITING
from tiktok_middleware.delivery.outbox.sqlite.outbox import SqliteOutbox

if TYPE_CHECKING:
    from tests.postgres_world import Postgres

pytestmark = pytest.mark.slow
_ROOT = Path(__file__).parents[2]
_PAGE = "/admin/tiktok_middleware/outboxevent/"


class Site:
    """The running site, and its outbox."""

    def __init__(self, port: int, world: World, empty: Any) -> None:
        self.url = f"http://127.0.0.1:{port}"
        self.world = world
        self.empty = empty
        self.before = ""
        self.execute: Any = None
        self._staff: dict[str, Staff] = {}

    def staff(self, name: str) -> Staff:
        if name not in self._staff:
            self._staff[name] = Staff(self.url, name)
        return self._staff[name]

    def change_file(self, sql: str) -> None:
        """Change the outbox's file."""
        with closing(sqlite3.connect(self.world.url.removeprefix("sqlite:///"), timeout=20)) as db, db:
            db.execute(sql)

    def last_entry(self) -> str:
        """The newest message of the admin's log."""
        sql = "SELECT change_message FROM django_admin_log ORDER BY id DESC LIMIT 1"
        if self.execute:
            return str(self.execute(sql)[0][0])
        path = Path(self.world.url.removeprefix("sqlite:///")).with_name("site.sqlite3")
        with closing(sqlite3.connect(path, timeout=20)) as db:
            return str(db.execute(sql).fetchone()[0])

    def close(self) -> None:
        for one in self._staff.values():
            one.client.close()
        self.world.close()


class Staff:
    """Somebody who has logged in to the admin."""

    def __init__(self, url: str, name: str) -> None:
        self.client = httpx.Client(base_url=url, timeout=30)
        self.client.get("/admin/login/")
        login = self.post("/admin/login/", username=name, password="secret", next="/admin/")
        assert login.status_code == 302, login.text

    def get(self, **query: str) -> httpx.Response:
        return self.client.get(f"{_PAGE}?{urlencode(query)}")

    def post(self, path: str, **data: Any) -> httpx.Response:
        token = self.client.cookies["csrftoken"]
        return self.client.post(path, data={**data, "csrfmiddlewaretoken": token})

    def act(self, action: str, *rows: str, **data: Any) -> httpx.Response:
        self.get()  # sets the token's cookie
        return self.post(_PAGE, action=action, _selected_action=list(rows), **data)

    def said(self) -> list[str]:
        """The messages of the next page."""
        found = re.findall(r'<ul class="messagelist">(.*?)</ul>', self.get().text, re.DOTALL)
        return [text(item) for item in re.findall(r"<li[^>]*>(.*?)</li>", "".join(found), re.DOTALL)]

    def log(self) -> str:
        """The recent actions on the admin's first page."""
        return text(self.client.get("/admin/").text)


def text(html: str) -> str:
    words = re.sub(r"<[^>]*>", " ", html)
    return re.sub(r"\s+", " ", words.replace("&#x27;", "'").replace("&gt;", ">")).strip()


def rows_of(page: httpx.Response) -> dict[str, str]:
    """The event ids of a page's rows, with the names by which forms select them."""
    cells = re.findall(
        r'name="_selected_action" value="([^"]+)".*?<span class="small quiet">([^<]+)', page.text, re.DOTALL
    )
    return {event_id: name for name, event_id in cells}


@pytest.fixture(scope="module", params=["sqlite", pytest.param("django", marks=pytest.mark.postgres)])
def running(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("admin")
    environ = {name: value for name, value in os.environ.items() if not name.startswith("TIKTOK_")}
    environ |= {"XDG_STATE_HOME": str(folder), "PYTHONPATH": str(_ROOT)}
    if request.param == "sqlite":
        environ |= {"OUTBOX": f"sqlite:///{folder}/o.sqlite3", "DATABASE": str(folder / "site.sqlite3")}
    else:
        postgres: Postgres = request.getfixturevalue("postgres")
        postgres.execute("CREATE DATABASE admin_site")
        environ |= {"OUTBOX": "django:default", "DATABASE": str(postgres.port)}
    command = [sys.executable, "-m", "tests.contrib.admin_site"]
    with subprocess.Popen(
        command, cwd=_ROOT, env=environ, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            assert process.stdout is not None
            line = process.stdout.readline()
            assert line, "the site does not start"
            before = first_page(int(line))
            if request.param == "sqlite":
                site = of_a_file(int(line), folder / "o.sqlite3")
            else:
                site = of_postgres(int(line), postgres)
            site.before = before
            if request.param == "django":
                site.execute = lambda sql: postgres.execute(sql, "admin_site")
            yield site
            site.close()
        finally:
            process.kill()
    if request.param == "django":
        postgres.execute("DROP DATABASE admin_site WITH (FORCE)")


def first_page(port: int) -> str:
    """What staff see before an event was ever stored."""
    staff = Staff(f"http://127.0.0.1:{port}", "root")
    try:
        return text(staff.get().text)
    finally:
        staff.client.close()


def of_a_file(port: int, path: Path) -> Site:
    outbox = SqliteOutbox(path, pixels=[PIXEL])
    outbox.put([submission(sale("first"))])  # makes the file

    def empty() -> None:
        with closing(sqlite3.connect(path, timeout=20)) as db, db:
            for table in ("waiting", "dead", "ledger", "once", "usage"):
                db.execute(f"DELETE FROM {table}")
            db.execute("UPDATE tally SET rows = 0, bytes = 0, claims = 0, other_rows = 0, other_bytes = 0")

    return Site(port, World(f"sqlite:///{path}", outbox), empty)


def of_postgres(port: int, postgres: Postgres) -> Site:
    url = postgres.url("admin_site")
    outbox = postgres_outbox(url, clock=time.time, monotonic=time.monotonic, pixels=[PIXEL])
    tables = ", ".join(f"tiktok_middleware.{name}" for name in ("event", "dead", "ledger", "claim"))
    return Site(port, World(url, outbox), lambda: postgres.execute(f"TRUNCATE {tables}", "admin_site"))


@pytest.fixture
def site(running: Site) -> Site:
    """A site whose outbox has two rows of each state."""
    running.empty()
    running.world.fill()
    return running


@pytest.fixture
def root(site: Site) -> Staff:
    return site.staff("root")


def test_list_shows_all_states_with_reasons_orders_and_counts(root: Staff) -> None:
    page = root.get()
    assert page.status_code == 200
    assert "no-store" in page.headers["cache-control"]
    assert list(rows_of(page)) == ["w2", "w1", "f2", "f1", "d2", "d1", "x2", "x1"]
    words = text(page.text)
    for part in ("40002", "40002 wrong", "Köln-1", "1001", "5 EUR", "Waiting (2)", "Being sent (2)", "Dead (2)"):
        assert part in words, part
    assert len(re.findall(r"\b5(?:\.0)? EUR", words)) == 8


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({"state": "dead"}, {"d1", "d2"}),
        ({"state": "delivered"}, {"x1", "x2"}),
        ({"state": "in_flight"}, {"f1", "f2"}),
        ({"q": "A-1"}, {"w1", "f1", "d1", "x1"}),
        ({"q": " A-1 "}, {"w1", "f1", "d1", "x1"}),
        ({"q": "d2"}, {"d2"}),
        ({"q": "Köln-1", "state": "dead"}, {"d2"}),
        ({"q": "Köln-1", "state": "waiting"}, set()),
        ({"reason": "40002"}, {"d1", "d2"}),
        ({"event": "Contact"}, set()),
        ({"pixel": PIXEL, "state": "waiting"}, {"w1", "w2"}),
        ({"environment": "staging"}, set()),
        ({"state": "nonsense", "after": "dead:x", "q": "\0"}, {"w1", "w2", "f1", "f2", "d1", "d2", "x1", "x2"}),
        ({"after": "dead:99999999999999999999"}, {"w1", "w2", "f1", "f2", "d1", "d2", "x1", "x2"}),
        ({"q": "<script>alert(1)</script>"}, set()),
        ({"q": "x" * 10_000}, set()),
    ],
)
def test_filters_and_search(root: Staff, query: dict[str, str], found: set[str]) -> None:
    page = root.get(**query)
    assert page.status_code == 200
    assert set(rows_of(page)) == found
    assert "<script>alert" not in page.text


def test_each_link_of_the_filters_leads_to_a_page(root: Staff) -> None:
    page = root.get(state="dead", q="A-1", event="Purchase", reason="40002", environment="production", pixel=PIXEL)
    assert set(rows_of(page)) == {"d1"}
    links = {link.replace("&amp;", "&") for link in re.findall(r'<a href="(\?[^"]*)"', page.text)}
    assert len(links) > 6
    assert {root.client.get(_PAGE + link).status_code for link in links} == {200}


def test_many_rows_come_in_pages_and_are_selected_across_them(site: Site, root: Staff) -> None:
    site.empty()
    site.world.outbox.keep_dead([sale(f"e{number}") for number in range(250)], "40002 wrong")
    seen: list[str] = []
    link = _PAGE
    while link:
        page = root.client.get(link)
        seen += rows_of(page)
        older = re.search(r'<a href="([^"]+)">Older', page.text)
        link = _PAGE + older[1].replace("&amp;", "&") if older else ""
    assert seen == [f"e{number}" for number in range(249, -1, -1)]
    root.act("retry", "dead:1", select_across="1", confirm="yes")
    assert root.said() == ["250 dead letter(s) wait again, 0 event(s) are tried at once."]
    assert len(site.world.newest(1000, states=(WAITING,))) == 250


def test_no_page_shows_identity(site: Site, root: Staff) -> None:
    pages = [root.get(), root.get(q="A-1"), root.act("erase", *rows_of(root.get()).values())]
    pages += [root.client.get(f"{_PAGE}erase/")]
    for page in pages:
        for secret in (JANE, JOHN, "203.0.113.9", "ttp-aaaa"):
            assert secret not in page.text


def test_retry_asks_first_and_says_what_it_did(site: Site, root: Staff) -> None:
    row = rows_of(root.get())["d1"]
    page = root.act("retry", row)
    assert "Retry selected events: 1 event(s)" in text(page.text)
    assert "order A-1, dead: 40002" in text(page.text)
    assert len(site.world.newest(states=(DEAD,))) == 2, "nothing is done before the confirmation"
    assert root.act("retry", row, confirm="yes").status_code == 302
    assert root.said() == ["1 dead letter(s) wait again, 0 event(s) are tried at once."]
    assert site.world.newest(states=(DEAD,)) == [("dead", "d2")]
    assert ("waiting", "d1") in site.world.newest()
    assert "d1" in root.log()


def test_retry_of_old_pairs_needs_its_own_consent(site: Site, root: Staff) -> None:
    old = replace(sale("old"), event_time=int(time.time()) - 50 * 3600, paired=True)
    site.world.outbox.keep_dead([old, replace(sale("older"), event_time=1)], "expired")
    rows = rows_of(root.get())
    assert 'name="as_new"' in root.act("retry", rows["old"]).text
    root.act("retry", rows["old"], rows["older"], confirm="yes")
    [_, left] = root.said()
    assert "1 stay dead: their browser copy" in left
    assert "1 stay dead: they are older" in left
    root.act("retry", rows["old"], rows["older"], confirm="yes", as_new="yes")
    assert root.said()[0].startswith("1 dead letter(s) wait again")


def test_forget_lets_a_delivered_order_count_again(site: Site, root: Staff) -> None:
    site.world.outbox.put([OutboxEntry("x1", browser=True, once=True)])
    rows = rows_of(root.get(state="delivered"))
    assert "counts a conversion twice" in text(root.act("forget", rows["x1"]).text)
    root.act("forget", rows["x1"], rows["x2"], confirm="yes")
    assert root.said() == [
        "1 event(s) are forgotten and count again.",
        "1 event(s) were not counted: nothing to forget.",
    ]
    assert site.world.admin.forget("x1", "production") == 0


def test_purge_removes_the_selected_events_alone(site: Site, root: Staff) -> None:
    rows = rows_of(root.get())
    root.act("purge", rows["d1"], rows["w1"], rows["f1"], rows["x1"], confirm="yes")
    assert root.said()[0] == "2 event(s) removed."
    assert {event_id for _, event_id in site.world.newest()} == {"w2", "f1", "f2", "d2", "x1", "x2"}


def test_erase_removes_all_events_of_the_persons_of_selected_events(site: Site, root: Staff) -> None:
    site.world.wait(sale("john", email=JOHN))
    rows = rows_of(root.get())
    root.act("erase", rows["d2"], confirm="yes")
    assert root.said()[0].startswith("Removed 1 waiting event(s), 1 dead letter(s)")
    left = {event_id for _, event_id in site.world.newest()}
    assert left == {"w1", "w2", "f1", "f2", "d1", "x1", "x2"}
    assert JOHN not in root.log()


def test_erase_of_delivered_events_says_that_they_name_nobody(root: Staff) -> None:
    root.act("erase", rows_of(root.get())["x1"], confirm="yes")
    [said] = root.said()
    assert "name nobody" in said


def test_a_person_is_erased_by_the_form(site: Site, root: Staff) -> None:
    jane = sha256(b"jane@shop.example").hexdigest()
    site.world.wait(sale("jane", email=jane))
    root.client.get(f"{_PAGE}erase/")
    for data, said in [
        ({}, "This field is required"),
        ({"is_sure": "on"}, "at least one value"),
        ({"is_sure": "on", "email": "jane"}, "email"),
        ({"is_sure": "on", "phone": "call me"}, "phone"),
        ({"email": "jane@shop.example"}, "This field is required"),
    ]:
        page = root.post(f"{_PAGE}erase/", **data)
        assert page.status_code == 200
        assert said in text(page.text)
        assert "jane@shop.example" not in page.text
    assert ("waiting", "jane") in site.world.newest()
    done = root.post(f"{_PAGE}erase/", email="Jane@Shop.example ", is_sure="on")
    assert done.status_code == 302
    assert root.said()[0].startswith("Removed 1 waiting event(s), 0 dead letter(s)")
    assert ("waiting", "jane") not in site.world.newest()
    assert jane not in root.log()
    assert "a person" in root.log()


def test_erase_refuses_to_search_too_many_events(site: Site, root: Staff) -> None:
    columns = "pixel, source, event, event_id, event_time, paired, body, due"
    if site.execute:
        site.execute(
            f"INSERT INTO tiktok_middleware.event (environment, state, {columns}) SELECT environment, state, {columns}"
            " FROM tiktok_middleware.event, generate_series(1, 25000)"
        )
    else:
        numbers = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 25000) SELECT i FROM n"
        site.change_file(f"INSERT INTO waiting ({columns}) SELECT {columns} FROM waiting, ({numbers})")
    root.act("erase", rows_of(root.get(state="dead"))["d2"], confirm="yes")
    [said] = root.said()
    assert "more than 100,000 events" in said
    assert "`tiktok-middleware erase`" in said
    root.post(f"{_PAGE}erase/", external_id="jane", is_sure="on")
    assert root.said() == [said]
    assert said in site.last_entry()
    assert ("dead", "d2") in site.world.newest(states=(DEAD,))


def test_log_has_an_action_that_fails_before_it_is_done(site: Site, root: Staff) -> None:
    row = rows_of(root.get())["d1"]
    if site.execute:
        site.execute(
            "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'full after: %',"
            " (SELECT change_message FROM public.django_admin_log ORDER BY id DESC LIMIT 1); END $$;"
            "CREATE TRIGGER refuse BEFORE DELETE ON tiktok_middleware.dead EXECUTE FUNCTION refuse()"
        )
    else:
        site.change_file("CREATE TRIGGER refuse BEFORE DELETE ON dead BEGIN SELECT RAISE(ABORT, 'full after: '); END")
    try:
        root.act("purge", row, confirm="yes")
    finally:
        if site.execute:
            site.execute("DROP FUNCTION refuse CASCADE")
        else:
            site.change_file("DROP TRIGGER refuse")
    [said] = root.said()
    assert "full after:" in said
    assert ("Remove selected events: begun. d1" in said) == bool(site.execute)
    assert site.last_entry().startswith("Remove selected events: failed: ")
    assert site.last_entry().endswith(" d1")
    root.act("purge", row, confirm="yes")
    assert site.last_entry() == "Remove selected events: 1 event(s) removed. d1"


@pytest.mark.parametrize(
    ("name", "page", "actions", "form"),
    [
        ("root", 200, {"retry", "forget", "purge", "erase"}, 200),
        ("viewer", 200, set(), 403),
        ("sender", 200, {"retry"}, 403),
        ("eraser", 403, set(), 200),
        ("clerk", 403, set(), 403),
    ],
)
def test_permissions_decide_what_is_shown_and_done(
    site: Site, name: str, page: int, actions: set[str], form: int
) -> None:
    row = rows_of(site.staff("root").get())["d1"]
    staff = site.staff(name)
    shown = staff.get()
    assert shown.status_code == page
    assert set(re.findall(r'<option value="([a-z]+)"', shown.text)) == actions
    assert ("Erase a person" in shown.text) == (page == form == 200)
    assert staff.client.get(f"{_PAGE}erase/").status_code == form
    assert ("/admin/tiktok_middleware/outboxevent/" in staff.client.get("/admin/").text) == (page == 200)
    before = site.world.newest()
    for action in {"retry", "forget", "purge", "erase"} - actions:
        staff.client.get("/admin/")
        assert staff.post(_PAGE, action=action, _selected_action=[row], confirm="yes").status_code == 403
    assert site.world.newest() == before


def test_strangers_are_sent_to_the_login(site: Site) -> None:
    with httpx.Client(base_url=site.url) as stranger:
        for path in (_PAGE, f"{_PAGE}erase/", f"{_PAGE}x1/change/"):
            answer = stranger.get(path)
            assert answer.status_code == 302
            assert answer.headers["location"].startswith("/admin/login/")


@pytest.mark.parametrize("path", [_PAGE, f"{_PAGE}erase/"])
def test_post_without_token_is_refused(site: Site, root: Staff, path: str) -> None:
    rows = rows_of(root.get())
    before = site.world.newest()
    data = {"action": "purge", "_selected_action": [rows["d1"]], "confirm": "yes", "ip": "203.0.113.9", "is_sure": "on"}
    assert root.client.post(path, data=data).status_code == 403
    assert site.world.newest() == before


@pytest.mark.parametrize(
    ("action", "rows"),
    [
        ("", ["dead:1"]),
        ("delete_selected", ["dead:1"]),
        ("retry", []),
        ("retry", ["dead:0", "waiting:999999999", "nothing:1", "dead:-1", "dead:1 OR 1=1", "dead", ":", "dead:²"]),
        ("purge", ["dead:999999999999999999", "dead:99999999999999999999999"]),
    ],
)
def test_form_without_action_or_rows_does_nothing(site: Site, root: Staff, action: str, rows: list[str]) -> None:
    before = site.world.newest()
    assert root.act(action, *rows, confirm="yes").status_code == 302
    [said] = root.said()
    assert said.startswith("No ")
    assert site.world.newest() == before


def test_event_is_found_from_the_log(root: Staff) -> None:
    found = root.client.get(f"{_PAGE}d1/change/")
    assert (found.status_code, found.headers["location"]) == (302, f"{_PAGE}?q=d1")


@pytest.mark.parametrize("event_id", ["order_1001_x", "a/b?c=d&e#f", "_5F", "order_" + "x" * 250])
def test_link_of_the_log_finds_the_event(site: Site, root: Staff, event_id: str) -> None:
    site.world.outbox.keep_dead([sale(event_id)], "40002 wrong")
    root.act("retry", rows_of(root.get(state="dead"))[escape(event_id)], confirm="yes")
    assert root.said() == ["1 dead letter(s) wait again, 0 event(s) are tried at once."]
    link = re.search(rf'<a href="({_PAGE}[^"]+/change/)"', root.client.get("/admin/").text)
    assert link, "no link in the log"
    found = root.client.get(link[1], follow_redirects=True)
    assert list(rows_of(found)) == [escape(event_id)]


def test_row_that_cannot_be_read_is_no_error_of_the_page(site: Site, root: Staff) -> None:
    site.world.outbox.keep_dead([replace(sale("broken"), body=b'{"properties":{"order_id":"Z-9"')], "40002 wrong")
    page = root.get(q="Z-9")
    assert page.status_code == 200
    assert ("PostgreSQL cannot store a value" in page.text) == ("django:default" in site.before)
    assert "broken" in rows_of(root.get(state="dead"))


def test_events_are_neither_added_nor_deleted(root: Staff) -> None:
    for path in ("add/", "1/delete/"):
        assert root.client.get(_PAGE + path).status_code == 404


def test_paused_outbox_is_said_to_be_paused(site: Site, root: Staff) -> None:
    from tiktok_middleware.delivery.outbox.base import RUNNING, Switches

    site.world.admin.set_switches(Switches(time.time(), 0))
    try:
        assert "sending is PAUSED" in root.get().text
    finally:
        site.world.admin.set_switches(RUNNING)
    assert "PAUSED" not in root.get().text


def test_ledger_of_other_outcomes_is_not_called_delivered(site: Site, root: Staff) -> None:
    site.world.outbox.put([])
    assert set(rows_of(root.get(state=DELIVERED))) == {"x1", "x2"}


def test_page_of_an_outbox_that_nothing_was_stored_in(site: Site) -> None:
    found = "there is no outbox at" in site.before, "No event." in site.before
    assert found == ((False, True) if "django:default" in site.before else (True, False))


def test_events_of_committed_transactions_are_counted_until_they_are_completed(site: Site, root: Staff) -> None:
    if "django:default" not in site.before:
        assert site.world.admin.drafts() == 0
        return
    assert "committed transactions" not in root.get().text
    execute = site.execute
    execute("INSERT INTO tiktok_middleware.draft VALUES ('loopback', 'a', 0, ''), ('loopback', 'b', 0, '')")
    try:
        assert "2 event(s) of committed transactions wait" in root.get().text
    finally:
        execute("TRUNCATE tiktok_middleware.draft")
