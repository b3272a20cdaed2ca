"""A page that follows the recipe of an earlier one is the page that it would have been without."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.contract.adapters import PAGE, Request, Response, generator_app, make_client, through_asgi, through_wsgi
from tests.contract.test_adapters_agree import requests, responses, same_start
from tests.strategies import examples
from tiktok_middleware import Client
from tiktok_middleware.core.runtime import BoundedCache

SETTINGS: dict[str, dict[str, Any]] = {
    "plain": {},
    "required": {"consent": "required"},
    "platform": {"consent": "cookiebot"},
    "limited": {"gpc": "limit"},
    "exclusions": {"exclude": "/shop/private*"},
    "mint": {"ttp": "mint"},
    "matched": {"page_view": "matched"},
    "extended": {"csp": "extend"},
}
COOKIES = [
    *(
        "",
        "",
        "_ttp=01K0ABCDEFGHJKMNPQRSTVWXYZ_.tt.1; ttclid=E.C.P.abc; _tt_fresh=cp",
        "_tt_consent=g",
        "_tt_consent=d",
    ),
    *("CookieConsent={marketing:true}", "CookieConsent={marketing:false}", "usprivacy=1YYN", "_tt_carry=forged"),
]
PATHS = ["/shop", "/shop", "/shop/private", "/shop/bob@example.com", "/shop/caf\xc3\xa9"]
USUAL = [Response(), Response(has_length=True), Response(pieces=(PAGE, PAGE), is_streamed=True)]


class Forgetful(BoundedCache[Any, Any]):
    """Makes every page go the general way."""

    def keep(self, key: Any, answer: Any) -> None:
        pass


@pytest.fixture(scope="module", params=SETTINGS)
def clients(request: pytest.FixtureRequest) -> Iterator[tuple[Client, Client]]:
    both = make_client(**SETTINGS[request.param]), make_client(**SETTINGS[request.param])
    both[1].runtime.decisions = Forgetful()
    yield both
    for client in both:
        client.close()


asked = st.builds(
    lambda made, path, cookie: replace(
        made, path=path, headers={**made.headers, **({"cookie": cookie} if cookie else {})}
    ),
    requests,
    st.sampled_from(PATHS),
    st.sampled_from(COOKIES),
)


@settings(max_examples=examples(200))
@given(request=asked, response=st.one_of(responses(), st.sampled_from(USUAL)))
def test_a_recipe_gives_the_page_of_the_general_way(
    clients: tuple[Client, Client], request: Request, response: Response
) -> None:
    learned, general = clients
    for through, args in ((through_asgi, ()), (through_wsgi, ()), (through_wsgi, (generator_app,))):
        same_start(general)
        expected = through(general, request, response, *args)
        for _ in ("it may learn", "and has learned"):
            same_start(learned)
            assert through(learned, request, response, *args) == expected


def test_first_page_records_its_decision_and_the_next_replays_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """Else the test above would compare the exchange with itself."""
    client = make_client()
    assert client.runtime.decisions == {}
    first = through_asgi(client, Request(), Response())
    assert len(client.runtime.decisions) == 1
    monkeypatch.setattr("tiktok_middleware.core.response.browser_output.BrowserOutput.script", None)
    assert through_asgi(client, Request(query="page=2"), Response()) == first
    client.close()
