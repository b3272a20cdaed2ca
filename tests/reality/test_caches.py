"""Behind real caches nobody loses the pixel, or gets it, because of who asked first."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import httpx
import pytest

from tests.browser.servers import free_port, running, shop_environment, uvicorn_command
from tests.reality.caches_app import PAGE
from tests.reality.proxies import nginx, varnish

pytestmark = pytest.mark.servers

NAVIGATION = {"sec-fetch-mode": "navigate", "sec-fetch-dest": "document", "accept": "text/html"}
VISITORS = {
    "ordinary": {},
    "gpc": {"sec-gpc": "1"},
    "refused": {"cookie": "_tt_consent=d"},
    "us privacy": {"cookie": "usprivacy=1YYN"},
    "from an ad": {"referer": "https://www.tiktok.com/"},
}
# What each gets of a page of one's own. The gate in the script decides for those who refuse.
HAS_SCRIPT = {"ordinary": True, "gpc": False, "refused": False, "us privacy": False, "from an ad": True}

TERMS = "<!doctype html><html><head><title>Terms</title></head><body>x</body></html>"

numbers = itertools.count()


@pytest.fixture(scope="module", params=["nginx", "varnish"])
def cache(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    folder, port = tmp_path_factory.mktemp("app"), free_port()
    environment = shop_environment(folder, "http://127.0.0.1:9", "C0000000000000000000")
    command = uvicorn_command("tests.reality.caches_app:app", port)
    before = tmp_path_factory.mktemp(request.param)
    (before / "protected").mkdir()
    (before / "protected" / "terms.html").write_text(TERMS, "ascii")
    with running("app", command, port, folder, environment) as app:
        opened = nginx(app, before, caches=True) if request.param == "nginx" else varnish(app, before)
        with opened as server, httpx.Client(base_url=server.url, timeout=10) as client:
            yield client


def page(cache: httpx.Client, path: str, visitor: str) -> httpx.Response:
    return cache.get(path, headers={**NAVIGATION, **VISITORS[visitor]})


def loads(answer: httpx.Response) -> bool:
    """Whether the page has a script that may load the pixel."""
    return "sdkid" in answer.text


def is_gated(answer: httpx.Response) -> bool:
    """Whether that script asks for a refusal first."""
    return '"g":1' in answer.text or '"h":1' in answer.text


@pytest.mark.parametrize(("first", "second"), list(itertools.permutations(VISITORS, 2)))
def test_nobody_gets_another_visitors_answer_about_the_pixel(cache: httpx.Client, first: str, second: str) -> None:
    path = f"/silent/{next(numbers)}"
    for visitor in (first, second, first):
        answer = page(cache, path, visitor)
        assert answer.status_code == 200
        if HAS_SCRIPT[visitor]:
            assert loads(answer)
            assert is_gated(answer)
        else:
            assert not loads(answer) or is_gated(answer)
            assert answer.headers.get("cache-control") == "private" or is_gated(answer)


def test_a_page_that_says_nothing_is_kept_where_it_is_the_same_for_everybody(cache: httpx.Client) -> None:
    """Else these tests could not fail."""
    path = f"/silent/{next(numbers)}"
    answers = [page(cache, path, "ordinary") for _ in range(3)]
    last = answers[-1].headers
    assert last.get("x-cache") == "HIT" or (
        int(last.get("age", "0")) >= 0 and len(last.get("x-varnish", "").split()) == 2
    )
    assert len({answer.text for answer in answers}) == 1
    assert PAGE[:20] in answers[0].text


@pytest.mark.parametrize(("first", "second"), list(itertools.permutations(VISITORS, 2)))
def test_a_public_page_is_the_same_for_everybody(cache: httpx.Client, first: str, second: str) -> None:
    path = f"/public/{next(numbers)}"
    assert page(cache, path, first).text == page(cache, path, second).text
    assert page(cache, f"{path}?email=bob@example.com", second).text == page(cache, path, first).text


@pytest.mark.parametrize("cache", ["nginx"], indirect=True)
def test_file_that_nginx_sends_for_the_app_keeps_its_bytes_and_the_event_waits_in_a_cookie(cache: httpx.Client) -> None:
    answer = page(cache, "/ordered", "ordinary")
    assert (answer.status_code, answer.text) == (200, TERMS)
    assert answer.headers["set-cookie"].startswith("_tt_carry")
    assert len(answer.content) == int(answer.headers["content-length"])
