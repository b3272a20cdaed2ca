"""A configured cookie domain that does not include the host is named, and costs no cookie."""

from __future__ import annotations

import pytest

from tests.contract.adapters import Request, Response, through_wsgi
from tests.core.core_world import NAVIGATION, PIXEL
from tiktok_middleware import Client, Config


@pytest.mark.parametrize(
    ("setting", "host", "is_named"),
    [
        ("shop.co.uk", "www.shop.co.uk", False),
        ("shop.co.uk", "othershop.co.uk", True),
        ("www.shop.co.uk", "shop.co.uk", True),
        ("auto", "www.shop.co.uk", False),
        ("auto", "localhost", False),
        ("host", "shop.co.uk", False),
    ],
)
def test_domain_that_does_not_include_the_host_is_named_once(
    setting: str, host: str, is_named: bool, caplog: pytest.LogCaptureFixture
) -> None:
    client = Client(Config(pixel_id=PIXEL, consent="implied", outbox="memory://", cookie_domain=setting))
    landing = Request(query="ttclid=E.C.P.x", headers={**NAVIGATION, "host": host})
    for _ in range(2):
        seen = through_wsgi(client, landing, Response())
        assert any(value.startswith("ttclid=E.C.P.x") for name, value in seen.headers if name.lower() == "set-cookie")
    lines = [record.getMessage() for record in caplog.records if "TIKTOK_COOKIE_DOMAIN" in record.getMessage()]
    assert len(lines) == is_named
    if is_named:
        assert f"TIKTOK_COOKIE_DOMAIN={setting} does not include the host {host}" in lines[0]
    client.close(0)
