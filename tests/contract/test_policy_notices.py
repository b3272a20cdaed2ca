"""What a page's Content Security Policy blocks is said once for each policy, however many pages it comes with."""

from __future__ import annotations

import logging

import pytest

from tests.contract.adapters import HTML, Request, Response, make_client, through_asgi, through_wsgi


@pytest.mark.parametrize("through", [through_asgi, through_wsgi])
@pytest.mark.parametrize(
    "policy",
    [
        "script-src 'self' 'nonce-{0}'",
        "script-src 'self' 'sha256-{0}=' 'sha384-{1}='",
        "default-src 'self' 'sha512-{0}' https://cdn.example",
        "script-src " + "'sha256-{0}={1}' " * 20,
    ],
)
def test_what_differs_from_page_to_page_is_not_said_again(
    caplog: pytest.LogCaptureFixture, through: object, policy: str
) -> None:
    client = make_client()
    assert callable(through)
    with caplog.at_level(logging.WARNING, "tiktok_middleware"):
        for number in range(20):
            value = policy.format(f"abc{number}", f"def{number}")
            through(client, Request(), Response(headers=(HTML, ("Content-Security-Policy", value))))
    client.close()
    said = [record.getMessage() for record in caplog.records]
    assert 1 <= len(said) <= 3  # scripts, requests and images
    assert all("Content Security Policy blocks the pixel (" in line and "; add: " in line for line in said)
