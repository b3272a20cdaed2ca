"""Options, secret keys and debug mode of the frameworks that have their own place for them; and Litestar's plugin."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from tests.contrib.shared import NAVIGATION, PAGE, PIXEL, inline_events, make_client, sent
from tiktok_middleware import Client, ConfigError

pytestmark = pytest.mark.slow

OPTIONS = {"pixel_id": PIXEL, "outbox": "memory://"}


@pytest.fixture(autouse=True)
def no_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TIKTOK_PIXEL_ID", raising=False)


def quart_client(options: dict[str, Any], *, debug: bool = False, secret: str = "") -> Client:
    import quart

    from tiktok_middleware.contrib.quart import TikTok

    app = quart.Quart("shop")
    app.debug = debug
    app.config.update(TIKTOK=options, SECRET_KEY=secret or None)
    TikTok().init_app(app)
    client: Client = app.extensions["tiktok"]
    return client


def litestar_client(options: dict[str, Any], *, debug: bool = False, secret: str = "") -> Client:
    from litestar import Litestar
    from litestar.config.csrf import CSRFConfig

    from tiktok_middleware.contrib.litestar import TikTokPlugin

    plugin = TikTokPlugin(options)
    Litestar([], plugins=[plugin], debug=debug, csrf_config=CSRFConfig(secret) if secret else None)
    return plugin.client


def pyramid_client(options: dict[str, Any], *, debug: bool = False, secret: str = "") -> Client:
    from pyramid.config import Configurator

    from tiktok_middleware.contrib.pyramid import TikTokMiddleware

    config = Configurator(settings={f"tiktok.{name}": value for name, value in options.items()})
    return TikTokMiddleware(config.make_wsgi_app()).client


def bottle_client(options: dict[str, Any], *, debug: bool = False, secret: str = "") -> Client:
    import bottle

    from tiktok_middleware.contrib.bottle import TikTokMiddleware

    app = bottle.Bottle()
    for name, value in options.items():
        app.config[f"tiktok.{name}"] = value
    was = bottle.DEBUG
    bottle.debug(debug)
    try:
        return TikTokMiddleware(app).client
    finally:
        bottle.debug(was)


def sanic_client(options: dict[str, Any], *, debug: bool = False, secret: str = "") -> Client:
    from sanic import Sanic

    from tiktok_middleware.contrib.sanic import TikTokMiddleware

    app: Any = Sanic(f"options_{len(Sanic._app_registry)}")
    app.config.TIKTOK = options
    app.config.DEBUG = debug
    app.state.mode = type(app.state.mode).DEBUG if debug else app.state.mode
    return TikTokMiddleware(app).client


MAKERS: dict[str, Callable[..., Client]] = {
    "quart": quart_client,
    "litestar": litestar_client,
    "pyramid": pyramid_client,
    "bottle": bottle_client,
    "sanic": sanic_client,
}


@pytest.mark.parametrize("name", MAKERS)
def test_options_of_the_framework_outrank_the_environment(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TIKTOK_PIXEL_ID", "C9999999999999999999")
    monkeypatch.setenv("TIKTOK_GPC", "limit")
    client = MAKERS[name](OPTIONS)
    assert client.config.pixels == (PIXEL,)
    assert client.config.gpc == "limit"


@pytest.mark.parametrize("name", MAKERS)
def test_option_that_does_not_exist_is_named(name: str) -> None:
    with pytest.raises(
        ConfigError, match=r"pixel is no option; did you mean pixel_id\? Options: access_token, .* pixel_id"
    ):
        MAKERS[name]({"pixel": PIXEL})


@pytest.mark.parametrize("name", ["quart", "litestar", "bottle", "sanic"])
def test_debug_mode_is_strict_and_not_production(name: str) -> None:
    config = MAKERS[name](OPTIONS, debug=True).config
    assert (config.strict, config.environment) == (True, "development")
    assert MAKERS[name](OPTIONS).config.strict is False


@pytest.mark.parametrize("name", ["quart", "litestar"])
def test_secret_of_the_framework_signs(name: str) -> None:
    secret = "a secret of thirty-two characters"  # Litestar wants so many
    one, other = (MAKERS[name](OPTIONS, secret=secret) for _ in range(2))
    token = one.runtime.signer.dump([1], purpose="carry")
    assert other.runtime.signer.load(token, purpose="carry", max_age_s=60) == [1]
    assert one.runtime.has_secret_key


def test_quart_configuration_of_before_serving_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    import quart

    from tiktok_middleware.contrib.quart import TikTok

    monkeypatch.setenv("TIKTOK_PIXEL_ID", PIXEL)
    monkeypatch.setenv("TIKTOK_OUTBOX", "memory://")
    app = quart.Quart("shop")
    TikTok(app)

    @app.before_serving
    async def load() -> None:
        app.config["TIKTOK"] = {"consent": "required"}

    @app.get("/")
    async def page() -> str:
        return PAGE

    async def serve() -> None:
        async with app.test_app() as running:
            await running.test_client().get("/", headers=NAVIGATION)

    asyncio.run(serve())
    assert app.extensions["tiktok"].config.consent == "required"


# -- Litestar's plugin


def litestar_app(client: Client, **plugin_options: Any) -> Any:
    from litestar import Litestar, MediaType, get
    from litestar.exceptions import NotFoundException
    from litestar.response import Response

    from tiktok_middleware.contrib.litestar import TikTok, TikTokPlugin

    async def view(tiktok: Any) -> str:
        tiktok.track("ViewContent", value=1, currency="EUR")
        return PAGE

    view.__annotations__["tiktok"] = TikTok

    def not_found(_request: Any, _error: NotFoundException) -> Response[bytes]:
        return Response(PAGE.encode(), status_code=404, media_type="text/html")

    plugin = TikTokPlugin(client=client, **plugin_options)
    return Litestar(
        [get("/", media_type=MediaType.HTML)(view)],
        plugins=[plugin],
        exception_handlers={404: not_found},
        openapi_config=None,
    )


def get(app: Any, *paths: str) -> list[httpx.Response]:
    """Ask without any lifespan message, as some servers and test clients do."""

    async def run() -> list[httpx.Response]:
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="https://shop.example", headers=NAVIGATION) as http:
            return [await http.get(path) for path in paths]

    return asyncio.run(run())


def test_litestar_without_a_lifespan_is_wrapped_by_its_first_request() -> None:
    client = make_client()
    first, missing, second = get(litestar_app(client), "/", "/nothing", "/")
    for page in (first, second):
        [copy] = inline_events(page.text)
        assert copy[0] == "ViewContent"
    assert missing.status_code == 404
    assert inline_events(missing.text) == []
    assert len(sent(client)) == 2


def test_litestar_serves_the_helper_to_a_process_that_has_served_no_page() -> None:
    client = make_client()
    [helper] = get(litestar_app(client), client.runtime.snippet.helper_path)
    assert "PerformanceObserver" in helper.text


def test_litestar_answers_404_below_the_endpoint_and_adds_no_route_when_it_is_off() -> None:
    [nothing] = get(litestar_app(make_client()), "/_tiktok/nothing")
    assert nothing.status_code == 404
    app = litestar_app(make_client(enabled=False))
    assert not [route for route in app.routes if "_tiktok" in route.path]


def test_litestar_plugin_needs_an_app_before_it_has_a_client() -> None:
    from tiktok_middleware.contrib.litestar import TikTokPlugin

    with pytest.raises(LookupError, match="pass the plugin to Litestar"):
        TikTokPlugin().client  # noqa: B018


def test_litestar_app_with_its_lifespan_starts_and_ends() -> None:
    from litestar.testing import TestClient

    client = make_client()
    with TestClient(litestar_app(client)) as browser:
        page = browser.get("/nothing", headers=NAVIGATION)
    assert inline_events(page.text) == []


def test_falcon_app_with_a_context_of_its_own_has_the_tracker_there() -> None:
    import falcon
    import falcon.testing

    from tiktok_middleware.contrib.falcon import TikTokMiddleware

    heard: list[Any] = []

    class Context:
        pass

    class DictRequest(falcon.Request):
        context_type = dict

    class OwnRequest(falcon.Request):
        context_type = Context

    class View:
        def on_get(self, req: Any, resp: Any) -> None:
            context = req.context
            heard.append(context["tiktok"] if isinstance(context, dict) else context.tiktok)

    for kind in (DictRequest, OwnRequest):
        app = falcon.App(request_type=kind)
        app.add_route("/", View())
        falcon.testing.simulate_get(TikTokMiddleware(app, make_client()), "/")
    assert len(heard) == 2
