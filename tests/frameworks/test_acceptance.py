"""What every framework must do, through a real server and the sandbox."""

from __future__ import annotations

import json
import re
from typing import Any

import httpx
import pytest

from tests.contrib.shared import inline_events, is_pair
from tests.frameworks.conftest import Site
from tests.frameworks.scenes import ERROR_PAGE, NOT_FOUND_PAGE, PAGE

pytestmark = pytest.mark.servers

FETCH = {"sec-fetch-mode": "cors", "sec-fetch-dest": "empty", "sec-fetch-site": "same-origin", "accept": "*/*"}


def assert_one_pair(site: Site, html: str) -> list[Any]:
    """The page's one event, which has arrived by the server channel too."""
    [copy] = inline_events(html)
    assert is_pair(copy, site.server_copy(copy[0], copy[2]))
    return copy


def without_script(html: str) -> str:
    """The page without what the middleware adds."""
    return re.sub(r"<script\b[^>]*>.*?</script>", "", html, flags=re.DOTALL)


def without_token(html: str) -> str:
    """The page without its signed event, which says in which second it was made."""
    return re.sub(r'"",\s*"[\w.~-]+"', '"",""', html)


def helper_url(html: str) -> str:
    found = re.search(r'"j":"([^"]+/helper-[0-9a-f]+\.js)"', html)
    assert found, html
    return found[1]


@pytest.mark.parametrize("path", ["/", "/typed", "/current", "/key"])
def test_event_of_a_page_is_one_pair_however_the_view_reaches_the_tracker(site: Site, path: str) -> None:
    with site.visitor() as visitor:
        answer = visitor.get(path)
    assert answer.status_code == 200
    assert assert_one_pair(site, answer.text)[0] == "ViewContent"
    assert without_script(answer.text) == PAGE
    assert ("x-neighbour" in answer.headers) == site.is_plain


def test_helper_script_and_report_address_are_served(site: Site) -> None:
    with site.visitor() as visitor:
        answer = visitor.get("/")
        script = visitor.get(helper_url(answer.text))
        assert "PerformanceObserver" in script.text
        assert script.headers["content-type"].startswith("text/javascript")
        report = visitor.post("/_tiktok/collect", content=b"nonsense", headers={**FETCH, "origin": site.server.url})
    assert report.status_code in {400, 403}


def test_purchase_tracked_twice_over_a_redirect_is_one_pair(site: Site) -> None:
    with site.visitor() as visitor:
        paid = visitor.post("/pay")
        assert paid.status_code == 303
        assert [name for name in paid.cookies if name.startswith("_tt_carry")]
        thanks = visitor.get(str(paid.next_request.url if paid.next_request else ""))
    copy = assert_one_pair(site, thanks.text)
    assert copy[0] == "Purchase"
    assert len(site.server_copies("Purchase")) == 1


def test_answer_to_fetch_carries_its_event_in_headers(site: Site) -> None:
    with site.visitor(**FETCH) as visitor:
        answer = visitor.post("/add")
    assert answer.json() == {"count": 1}
    [copy] = json.loads(answer.headers["tiktok-events"])
    assert is_pair(copy, site.server_copy("AddToCart", copy[2]))
    assert "tiktok;desc=" in answer.headers["server-timing"]


def test_stream_carries_what_is_tracked_while_it_is_made(site: Site) -> None:
    with site.visitor() as visitor:
        answer = visitor.get("/stream")
    assert without_script(answer.text) == PAGE
    assert assert_one_pair(site, answer.text)[0] == "ViewContent"


def test_cached_page_is_the_same_for_every_visitor(site: Site) -> None:
    def visit(**cookies: str) -> httpx.Response:
        with site.visitor() as visitor:
            visitor.cookies.update(cookies)
            return visitor.get("/cached?ttclid=E.C.P.1")

    first, second = visit(), visit(ttclid="E.C.P.2")
    assert without_token(first.text) == without_token(second.text)
    assert "set-cookie" not in first.headers
    assert "public" in first.headers["cache-control"]
    assert '"s":[["ViewContent",' in first.text, "a signed template, whose id each browser makes"


def test_failing_view_sends_nothing(site: Site) -> None:
    with site.visitor() as visitor:
        failed = visitor.get("/fails")
    assert failed.status_code == 500
    with site.visitor() as visitor:  # a server may close the connection after an error
        assert_one_pair(site, visitor.get("/").text)  # tracked later, and arrived
    assert site.server_copies("Lead") == []
    if site.framework.covers_errors or site.is_plain:
        assert helper_url(failed.text)
        assert inline_events(failed.text) == []
    assert without_script(failed.text) == ERROR_PAGE


def test_page_of_an_unknown_address_carries_the_pixel(site: Site) -> None:
    with site.visitor() as visitor:
        answer = visitor.get("/no-such-page")
    assert answer.status_code == 404
    assert without_script(answer.text) == NOT_FOUND_PAGE
    assert helper_url(answer.text)


def test_refusal_is_stored_and_sends_nothing(site: Site) -> None:
    with site.visitor() as visitor:
        visitor.cookies.set("ttclid", "E.C.P.1")
        refused = visitor.get("/refuse")
        cookies = refused.headers.get_list("set-cookie")
        assert any(line.startswith("_tt_consent=d") for line in cookies)
        assert any(line.startswith("ttclid=;") for line in cookies)
        later = visitor.get("/")
        assert site.server.pixel not in later.text
    with site.visitor() as other:
        assert_one_pair(site, other.get("/").text)
    assert site.server_copies("Lead") == []


@pytest.mark.parametrize("path", ["/mounted/", "/mounted/typed", "/mounted/current"])
def test_mounted_app_is_tracked_and_its_helper_is_found(site: Site, path: str) -> None:
    with site.visitor() as visitor:
        answer = visitor.get(path, follow_redirects=True)
        assert_one_pair(site, answer.text)
        assert "PerformanceObserver" in visitor.get(helper_url(answer.text)).text


def test_app_below_a_prefix_serves_its_addresses_there(site: Site) -> None:
    with site.visitor() as visitor:
        answer = visitor.get("/prefix/")
        copy = assert_one_pair(site, answer.text)
        assert helper_url(answer.text).startswith("/prefix/_tiktok/")
        assert "PerformanceObserver" in visitor.get(helper_url(answer.text)).text
    assert site.server_copy("ViewContent", copy[2])["page"]["url"] == f"{site.server.url}/prefix/"


def test_start_up_hook_of_the_app_runs(site: Site) -> None:
    with site.visitor(accept="application/json") as visitor:
        assert visitor.get("/started").json() == {"started": True}


def test_log_tells_of_no_trouble(site: Site) -> None:
    log = site.server.log.decode(errors="replace")
    assert "failed, the response passes untouched" not in log
    assert "request.tiktok cannot be set" not in log
