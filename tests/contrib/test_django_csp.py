"""Django pages whose policy lets only scripts with its nonce run: the policy names the nonce, and our scripts carry it."""

from __future__ import annotations

import re
from collections.abc import Callable
from importlib.util import find_spec
from typing import Any

import httpx
import pytest
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.test import override_settings
from django.urls import path

from tests.contrib.shared import NAVIGATION, PAGE, make_client
from tests.contrib.test_django import Browser
from tiktok_middleware.contrib import django as contrib
from tiktok_middleware.contrib._django_settings import configured_policy
from tiktok_middleware.core.page.csp import allows_inline
from tiktok_middleware.core.tracking.current import KEY

OURS, CONDITIONAL = (
    "tiktok_middleware.contrib.django.TikTokMiddleware",
    "django.middleware.http.ConditionalGetMiddleware",
)
STRICT = ["'strict-dynamic'"]
OPEN = ["'self'", "'unsafe-inline'"]


def page(_request: HttpRequest) -> HttpResponse:
    return HttpResponse(PAGE)


def page_with_script(request: HttpRequest) -> HttpResponse:
    nonce = getattr(request, "csp_nonce", None) or getattr(request, "_csp_nonce", None)
    return HttpResponse(PAGE.replace("Hello", f'<script nonce="{nonce}">1</script>'))


def data(_request: HttpRequest) -> JsonResponse:
    return JsonResponse({})


urlpatterns = [path("", page), path("script", page_with_script), path("data", data)]


def _django_csp(sources: list[str], kind: str) -> dict[str, Any]:
    from csp.constants import NONCE

    return {f"CONTENT_SECURITY_POLICY{kind}": {"DIRECTIVES": {"script-src": [*sources, NONCE]}}}


def _own_csp(sources: list[str], kind: str) -> dict[str, Any]:
    from django.utils.csp import CSP

    return {f"SECURE_CSP{kind}": {"script-src": [*sources, CSP.NONCE]}}


Settings = Callable[[list[str], str], dict[str, Any]]
#: The middlewares there are, and how a policy is configured.
WRITERS: dict[str, tuple[str, Settings]] = {"django-csp": ("csp.middleware.CSPMiddleware", _django_csp)}
if find_spec("django.middleware.csp"):
    WRITERS["Django's own"] = ("django.middleware.csp.ContentSecurityPolicyMiddleware", _own_csp)

Visit = Callable[..., httpx.Response]


@pytest.fixture(params=["wsgi", "asgi"])
def visit(request: pytest.FixtureRequest) -> Visit:
    """One request to an app with these middlewares and settings."""

    def visit(
        where: str, middleware: list[str], headers: dict[str, str] = NAVIGATION, *,
        options: dict[str, Any] | None = None, **configured: Any,
    ) -> httpx.Response:  # fmt: skip
        given = {"TIKTOK": make_client(**(options or {})), **configured}
        with override_settings(ROOT_URLCONF=__name__, MIDDLEWARE=middleware, **given):
            return Browser(request.param).get(where, headers)

    return visit


@pytest.fixture(params=list(WRITERS))
def writer(request: pytest.FixtureRequest) -> tuple[str, Settings]:
    found: tuple[str, Settings] = WRITERS[request.param]
    return found


def nonces(answer: httpx.Response, header: str = "content-security-policy") -> list[str]:
    return re.findall(r"'nonce-([^']+)'", answer.headers.get(header, ""))


def scripts(answer: httpx.Response) -> list[str]:
    """The nonce of each script in the page; empty where it has none."""
    return [re.sub('.*nonce="([^"]*)".*|.*', r"\1", tag) for tag in re.findall("<script[^>]*>", answer.text)]


@pytest.mark.parametrize("where", ["/", "/script"])
@pytest.mark.parametrize("kind", ["", "_REPORT_ONLY"])
def test_the_policy_names_the_nonce_that_our_scripts_carry(
    visit: Visit, writer: tuple[str, Settings], where: str, kind: str
) -> None:
    middleware, configured = writer
    answer = visit(where, [OURS, middleware], **configured(STRICT, kind))
    [nonce] = nonces(answer, "content-security-policy" + ("-report-only" if kind else ""))
    assert scripts(answer) == [nonce] * (2 if where == "/script" else 1)


def test_a_policy_that_is_written_around_us_has_our_nonce_too(visit: Visit, writer: tuple[str, Settings]) -> None:
    middleware, configured = writer
    answer = visit("/", [middleware, OURS], **configured(STRICT, ""))
    [nonce] = nonces(answer)
    assert scripts(answer) == [nonce]


def test_a_nonce_is_another_one_each_time_and_so_is_the_page(visit: Visit, writer: tuple[str, Settings]) -> None:
    """A 304 would bring a new nonce to the scripts of an old page."""
    middleware, configured = writer
    one, other = (visit("/", [OURS, middleware, CONDITIONAL], **configured(STRICT, "")) for _ in range(2))
    assert nonces(one) != nonces(other)
    assert "etag" not in one.headers
    assert visit("/", [OURS, CONDITIONAL]).headers["etag"].startswith('W/"')


@pytest.mark.parametrize(
    ("where", "headers"),
    [
        ("/data", {"sec-fetch-dest": "empty", "accept": "*/*"}),
        ("/data", {"accept": "application/json"}),
        ("/", {"sec-fetch-dest": "image", "accept": "image/avif,*/*"}),
    ],
)
def test_what_is_no_page_gets_the_policy_that_it_had(
    visit: Visit, writer: tuple[str, Settings], where: str, headers: dict[str, str]
) -> None:
    middleware, configured = writer
    settings = configured(STRICT, "")
    answer, bare = (
        visit(where, middlewares, headers, **settings) for middlewares in ([OURS, middleware], [middleware])
    )
    assert answer.headers["content-security-policy"] == bare.headers["content-security-policy"]
    assert nonces(answer) == []


def test_a_page_that_a_worker_asks_for_again_gets_a_nonce(visit: Visit, writer: tuple[str, Settings]) -> None:
    middleware, configured = writer
    again = {"sec-fetch-dest": "empty", "sec-fetch-mode": "same-origin", "accept": "text/html,*/*;q=0.8"}
    answer = visit("/", [OURS, middleware], again, **configured(STRICT, ""))
    assert scripts(answer) == nonces(answer) != []


@pytest.mark.parametrize("options", [{"csp": "off"}, {"enabled": False}, {"environment": "development"}])
def test_without_a_script_of_ours_no_nonce_is_asked_for(
    visit: Visit, writer: tuple[str, Settings], options: dict[str, Any]
) -> None:
    middleware, configured = writer
    assert nonces(visit("/", [OURS, middleware], options=options, **configured(STRICT, ""))) == []


def test_a_policy_that_lets_any_inline_script_run_is_not_closed(visit: Visit, writer: tuple[str, Settings]) -> None:
    """Beside a nonce, browsers take no notice of 'unsafe-inline'."""
    middleware, configured = writer
    answer = visit("/", [OURS, middleware], **configured(OPEN, ""))
    assert nonces(answer) == []
    assert scripts(answer) == [""]


def test_the_settings_of_older_packages_are_read_too() -> None:
    assert allows_inline(configured_policy())
    with override_settings(CSP_SCRIPT_SRC=["'self'"], CSP_INCLUDE_NONCE_IN=["script-src"]):
        assert not allows_inline(configured_policy())
    with override_settings(CONTENT_SECURITY_POLICY="no mapping", SECURE_CSP=["nor", "this"]):
        assert allows_inline(configured_policy())


def test_without_a_policy_django_is_given_no_hook() -> None:
    middleware = contrib.TikTokMiddleware(lambda _request: HttpResponse(PAGE), make_client())
    assert not hasattr(middleware, "process_view")


def test_the_frameworks_nonce_is_told_to_the_tracker() -> None:
    client = make_client()
    with override_settings(CSP_DEFAULT_SRC=["'self'"]):
        middleware = contrib.TikTokMiddleware(lambda _request: HttpResponse(PAGE), client)
    request = HttpRequest()
    request.META = {"REQUEST_METHOD": "GET", "HTTP_ACCEPT": "text/html"}
    middleware.process_view(request)  # ours is not around this one
    client.begin(request.META)
    request.csp_nonce = "abc"  # type: ignore[attr-defined]
    middleware.process_view(request)
    assert request.META[KEY].state.nonce == "abc"
