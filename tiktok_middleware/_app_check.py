"""Reject at start an app that TikTokMiddleware cannot wrap, with an error that names the app and the fix.

No framework is imported for it: frameworks are recognised by the names of their modules and classes.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from typing import Any, Literal

from tiktok_middleware.errors import WrapError

__all__ = ["check_app", "protocol_of"]

ProtocolName = Literal["asgi", "wsgi"]

_RECIPES = "docs/recipes.md"

#: Apps by module and class: the protocol they speak and how to wrap them.
_APPS: dict[tuple[str, str], tuple[ProtocolName, str]] = {
    ("flask.app", "Flask"): ("wsgi", "TikTok(app) of tiktok_middleware.contrib.flask"),
    ("django.core.handlers.wsgi", "WSGIHandler"): ("wsgi", "MIDDLEWARE in Django's settings"),
    ("django.core.handlers.asgi", "ASGIHandler"): ("asgi", "MIDDLEWARE in Django's settings"),
    ("pyramid.router", "Router"): ("wsgi", "TikTokMiddleware of tiktok_middleware.contrib.pyramid"),
    ("bottle", "Bottle"): ("wsgi", "TikTokMiddleware of tiktok_middleware.contrib.bottle"),
    ("falcon.asgi.app", "App"): ("asgi", "TikTokMiddleware of tiktok_middleware.contrib.falcon"),
    ("falcon.app", "App"): ("wsgi", "TikTokMiddleware of tiktok_middleware.contrib.falcon"),
    ("starlette.applications", "Starlette"): ("asgi", "TikTokMiddleware of tiktok_middleware.contrib.starlette"),
    ("litestar.app", "Litestar"): ("asgi", "TikTokPlugin of tiktok_middleware.contrib.litestar"),
    ("quart.app", "Quart"): ("asgi", "TikTok(app) of tiktok_middleware.contrib.quart"),
    ("sanic.app", "Sanic"): ("asgi", "TikTokMiddleware of tiktok_middleware.contrib.sanic"),
    ("blacksheep.server.application", "Application"): (
        "asgi",
        "TikTokMiddleware of tiktok_middleware.contrib.blacksheep",
    ),
}

#: Apps that are neither ASGI nor WSGI.
_NEITHER = {
    ("aiohttp.web_app", "Application"): "an aiohttp app",
    ("tornado.web", "Application"): "a Tornado app",
    ("robyn", "BaseRobyn"): "a Robyn app",
    ("robyn", "Robyn"): "a Robyn app",
}

#: Attributes in which middleware keeps the app that it wraps.
_INNER = ("app", "application", "wsgi_app", "asgi_app")

#: Functions that a framework passes to the middleware of a single route, which gets no other path.
_ROUTES = (("starlette.routing", "request_response"), ("fastapi.routing", "request_response"))


def check_app(app: Any, protocol: ProtocolName, client: Any) -> None:
    """Reject an app that this adapter cannot serve.

    Args:
        app: the app to wrap.
        protocol: protocol of the adapter.
        client: client of the middleware, compared with those of inner middleware.

    Raises:
        WrapError: the app has another protocol or none, is a single route, or is wrapped already with other settings.
    """
    found = _neither(app)
    if found:
        raise WrapError(
            f"TikTokMiddleware cannot wrap {found}, which is neither an ASGI nor a WSGI app: see {_RECIPES}"
        )
    spoken = protocol_of(app)
    if spoken is not None and spoken != protocol:
        raise WrapError(
            f"tiktok_middleware.{protocol}.TikTokMiddleware cannot wrap {_name(app)}, which is {_article(spoken)} app:"
            f" use {_better(app, spoken)}"
        )
    for inner in _chain(app):
        _check_inner(inner, client)


def protocol_of(app: Any) -> ProtocolName | None:
    """Return the protocol of an app; None if it cannot be determined."""
    known = _known(app)
    return _by_signature(app) if known is None else known[0]


def _check_inner(inner: Any, client: Any) -> None:
    if _is_route(inner):
        instead = (
            "use TikTokPlugin of tiktok_middleware.contrib.litestar" if _is_litestar(inner) else "wrap the whole app"
        )
        raise WrapError(
            f"TikTokMiddleware around a single route ({_name(inner)}) cannot serve its own addresses below"
            f" {client.config.endpoint}: {instead}"
        )
    other = getattr(inner, "client", None)
    if not _is_ours(inner) or other is None or other is client or not (other.config.is_on and client.config.is_on):
        return
    if other.config != client.config:
        names = ", ".join(_differences(other.config, client.config))
        raise WrapError(f"TikTokMiddleware is around this app twice, with different settings ({names}): use it once")


def _neither(app: Any) -> str:
    """Return what this is, in words, if it is neither an ASGI nor a WSGI app; else empty."""
    for kind in type(app).__mro__:
        named = _NEITHER.get((kind.__module__, kind.__name__))
        if named:
            return named
    if inspect.isclass(app) and not _is_asgi_class(app):
        return f"the class {app.__name__} (pass an instance)"
    return "" if callable(app) else f"{_name(app)}, which cannot be called"


def _is_asgi_class(app: Any) -> bool:
    """Return whether calling the class with scope, receive and send returns an awaitable, as for endpoint classes."""
    return hasattr(app, "__await__") or _by_signature(app) == "asgi"


def _chain(app: Any) -> Iterator[Any]:
    """Yield the app and the apps inside it, as far as each layer keeps the next one in an attribute."""
    seen: set[int] = set()
    while app is not None and id(app) not in seen:
        seen.add(id(app))
        yield app
        kept = getattr(app, "__dict__", None)
        layers = [kept[name] for name in _INNER if callable(kept.get(name))] if isinstance(kept, dict) else []
        app = layers[0] if layers else None


def _known(app: Any) -> tuple[ProtocolName, str] | None:
    for kind in type(app).__mro__:
        for module in (kind.__module__, kind.__module__.replace(".typing", "")):
            found = _APPS.get((module, kind.__name__))
            if found is not None:
                return found
        if kind.__module__ == "tiktok_middleware.asgi":
            return "asgi", ""
        if kind.__module__ == "tiktok_middleware.wsgi":
            return "wsgi", ""
    return None


def _by_signature(app: Any) -> ProtocolName | None:
    """Return the protocol by the number of arguments: three for ASGI, two for WSGI."""
    try:
        signature = inspect.signature(app)
    except (TypeError, ValueError):
        return None
    takes = {count for count in (2, 3) if _binds(signature, count)}
    if takes == {3}:
        return "asgi"
    return "wsgi" if takes == {2} else None


def _binds(signature: inspect.Signature, count: int) -> bool:
    try:
        signature.bind(*range(count))
    except TypeError:
        return False
    return True


def _is_route(app: Any) -> bool:
    module, name = getattr(app, "__module__", ""), getattr(app, "__qualname__", "")
    if any(module == known and name.startswith(prefix) for known, prefix in _ROUTES):
        return True
    if inspect.isclass(app):  # an endpoint class
        return True
    return _is_litestar(app)


def _is_litestar(app: Any) -> bool:
    """Return whether this is a bound method of a Litestar route, which Litestar's ``middleware=`` wraps."""
    return type(getattr(app, "__self__", None)).__module__.startswith("litestar.routes")


def _is_ours(app: Any) -> bool:
    return any(kind.__module__ in {"tiktok_middleware.asgi", "tiktok_middleware.wsgi"} for kind in type(app).__mro__)


def _differences(one: Any, other: Any) -> list[str]:
    return [name for name in one.__dataclass_fields__ if getattr(one, name) != getattr(other, name)]


def _better(app: Any, spoken: ProtocolName) -> str:
    known = _known(app)
    shorter = f", or {known[1]}" if known is not None and known[1] else ""
    return f"tiktok_middleware.{spoken}.TikTokMiddleware{shorter}"


def _article(protocol: ProtocolName) -> str:
    return "an ASGI" if protocol == "asgi" else "a WSGI"


def _name(app: Any) -> str:
    kind = app if inspect.isclass(app) or inspect.isfunction(app) or inspect.ismethod(app) else type(app)
    return f"{getattr(kind, '__module__', '')}.{getattr(kind, '__qualname__', kind)}"
