"""Events that only a browser can confirm, from the page to the endpoint and through both doors."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest

from tests.contract.adapters import HTML, PAGE, Request, Response, Seen, make_client, through_asgi, through_wsgi
from tests.contract.test_reports import POST, by_wsgi
from tests.core.core_world import GOOD_TTP
from tests.core.endpoint.report_world import MINTED
from tiktok_middleware import Client

NAVIGATION = {"sec-fetch-mode": "navigate", "sec-fetch-dest": "document", "user-agent": "Mozilla/5.0"}
BUY = ("Purchase", {"value": 59.9, "currency": "EUR", "order_id": "A-1001"})
EVENT = (("ViewContent", {"value": 1.5, "currency": "EUR"}),)
VISITORS: list[dict[str, str]] = [
    {},
    {"cookie": f"_ttp={GOOD_TTP}; ttclid=E.C.P.x; _tt_carry=forged; _tt_carry_sealed=forged"},
    {"cookie": "_tt_consent=d"},
    {"cookie": "_tt_consent=g"},
    {"sec-gpc": "1"},
    {"user-agent": "another", "referer": "https://elsewhere.example/"},
    {"sec-fetch-mode": "cors", "sec-fetch-dest": "empty", "hx-request": "true", "hx-boosted": "true"},
    {"sec-fetch-mode": "navigate", "sec-fetch-dest": "iframe"},
    {"x-requested-with": "com.zhiliaoapp.musically"},
]
both = pytest.mark.parametrize("through", [through_asgi, through_wsgi])


@pytest.fixture
def client() -> Iterator[Client]:
    made = make_client()
    yield made
    made.close(1)


def config_of(seen: Seen) -> dict[str, Any]:
    """What the page's script is told."""
    found = re.search(rb"\}\)\(window,document,\s*(\{.*?\})\);</script>", seen.body, re.DOTALL)
    assert found is not None
    config: dict[str, Any] = json.loads(found[1])
    return config


def cookie(seen: Seen, name: str) -> str:
    """The value that a response sets."""
    values = [value for key, value in seen.headers if key == "set-cookie" and value.startswith(f"{name}=")]
    return values[-1].partition("=")[2].partition(";")[0] if values else ""


def reported(client: Client, said: dict[str, Any], **headers: str) -> dict[str, Any]:
    """What the endpoint answers to a page."""
    request = POST if not headers else Request(POST.method, POST.path, headers={**POST.headers, **headers})
    answer: dict[str, Any] = json.loads(by_wsgi(client, request, json.dumps(said).encode()).body)
    return answer


@both
@pytest.mark.parametrize(
    "options", [{}, {"consent": "required"}, {"page_view": "matched"}, {"browser_events": "Search"}]
)
@pytest.mark.parametrize("is_streamed", [False, True])
def test_one_cached_copy_is_right_for_everybody(through: Any, options: dict[str, Any], is_streamed: bool) -> None:
    response = Response(
        headers=(HTML, ("Cache-Control", "public, max-age=60"), ("ETag", '"a"')),
        pieces=(PAGE[:-9], PAGE[-9:]),
        events=EVENT,
        late_events=(("Contact", {}),),
        is_streamed=is_streamed,
    )
    pages = {
        (seen.status, tuple(seen.headers), seen.body)
        for visitor in VISITORS
        for seen in (
            through(
                make_client(**options), Request(headers={**NAVIGATION, **visitor}, query="ttclid=E.C.P.y"), response
            ),
        )
    }
    assert len(pages) == 1
    [(_, headers, body)] = pages
    assert {"set-cookie", "etag"} & {name for name, _ in headers} == set()
    assert b"ViewContent" in body


@both
def test_two_visitors_of_one_cached_copy_are_two_pairs(through: Any, client: Client) -> None:
    response = Response(headers=(HTML, ("Cache-Control", "public, max-age=60")), events=EVENT)
    [entry] = config_of(through(client, Request(headers=NAVIGATION), response))["s"]
    assert client.stats()["accepted"] == 0
    ids = [MINTED, MINTED[:-1] + "1", MINTED]
    answers = [reported(client, {"c": [[entry[3], event_id]]}) for event_id in ids]
    assert answers == [{"load": True}, {"load": True}, {"load": True, "no": [MINTED]}]
    assert reported(client, {"c": [[entry[3], MINTED[:-1] + "2"]]}, **{"sec-gpc": "1"}) == {"load": False}
    assert client.stats()["accepted"] == 2


@both
def test_a_grant_on_the_page_sends_what_waited(through: Any) -> None:
    client = make_client(consent="required")
    config = config_of(through(client, Request(headers=NAVIGATION), Response(events=(BUY,))))
    [entry] = config["s"]
    assert (config["w"], client.stats()["accepted"]) == (1, 0)
    said = {"c": [[entry[3], entry[2]]]}
    assert reported(client, said) == {"load": False}
    assert reported(client, {**said, "w": "g"}) == {"load": True}
    assert client.stats()["accepted"] == 1
    client.close(1)


@both
@pytest.mark.parametrize("origin", [{"sec-fetch-site": "cross-site"}, {"origin": "https://bank.example"}])
def test_a_banks_return_is_counted_once_on_the_page_that_follows(
    through: Any, client: Client, origin: dict[str, str]
) -> None:
    seen_as = NAVIGATION if "sec-fetch-site" in origin else {"accept": "text/html", "user-agent": "Mozilla/5.0"}
    redirect = Response(
        status=303, headers=(("Location", "/thanks"), ("Content-Length", "0")), pieces=(b"",), events=(BUY,)
    )
    back = through(client, Request("POST", "/return", headers={**seen_as, **origin}), redirect)
    assert [name for name, _ in back.headers if name == "set-cookie"] == ["set-cookie"]
    assert client.stats()["accepted"] == 0
    jar = {"cookie": f"_tt_carry_sealed={cookie(back, '_tt_carry_sealed')}; _ttp={GOOD_TTP}; _tt_fresh=p"}
    pages = [
        through(client, Request(path="/thanks", headers={**NAVIGATION, **jar}), Response(events=(BUY,)))
        for _ in range(2)
    ]
    assert [len(config_of(page).get("e", ())) for page in pages] == [1, 0]
    assert ("set-cookie", "_tt_carry_sealed=; Max-Age=0; Path=/; SameSite=Lax") in pages[0].headers
    assert client.stats()["accepted"] == 1


@both
def test_a_webhooks_post_needs_nobodys_cookies(through: Any, client: Client) -> None:
    hook = Request("POST", "/hook", headers={"user-agent": "Payments/1.0", "content-type": "application/json"})
    answer = Response(headers=(("Content-Type", "application/json"),), pieces=(b"{}",), events=(BUY,))
    assert [name for name, _ in through(client, hook, answer).headers] == ["content-type"]
    assert client.stats()["accepted"] == 1


@both
def test_redirects_that_a_browser_follows_side_by_side_lose_no_copy(through: Any, client: Client) -> None:
    jar = {}
    for name in ("AddToCart", "Contact"):
        away = Response(status=303, headers=(("Location", "/next"),), pieces=(b"",), events=((name, {}),))
        seen = through(client, Request("POST", "/do", headers={**NAVIGATION, "sec-fetch-site": "same-origin"}), away)
        [carrying] = [value.partition(";")[0] for _, value in seen.headers if value.startswith("_tt_carry.")]
        jar[name] = carrying
    page = through(client, Request(headers={**NAVIGATION, "cookie": "; ".join(jar.values())}), Response())
    config = config_of(page)
    assert [copy[0] for copy in config["e"]] == ["AddToCart", "Contact"]
    assert config["k"] == [carrying.partition("=")[0] for carrying in jar.values()]
    assert client.stats()["accepted"] == 2


@both
def test_a_purchase_of_sixty_lines_arrives_behind_small_buffers(through: Any, client: Client) -> None:
    lines = [
        {"content_id": f"SKU-{n * 7919}", "content_name": f"Mug number {n}", "price": n, "quantity": 2}
        for n in range(60)
    ]
    buy = ("Purchase", {"value": 59.9, "currency": "EUR", "order_id": "A-60", "contents": lines})
    redirect = Response(
        status=303, headers=(("Location", "/thanks"), ("Content-Length", "0")), pieces=(b"",), events=(buy,)
    )
    paid = through(client, Request("POST", "/pay", headers={**NAVIGATION, "sec-fetch-site": "same-origin"}), redirect)
    assert sum(len(name) + len(value) + 4 for name, value in paid.headers) < 1700
    assert client.stats()["accepted"] == 1
    [carrying] = [value.partition(";")[0] for key, value in paid.headers if value.startswith("_tt_carry.")]
    carried = {"cookie": carrying}
    config = config_of(through(client, Request(headers={**NAVIGATION, **carried}), Response()))
    [[name, properties, _]] = reported(client, {"x": config["x"]})["e"]
    assert (name, len(properties["contents"]), config["k"]) == ("Purchase", 60, [carrying.partition("=")[0]])
    assert reported(client, {"x": ["made up"]}) == {"load": True}
