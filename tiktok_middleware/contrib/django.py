"""Django under WSGI and ASGI: the adapter for its response objects; the exchange decides.

Put ``"tiktok_middleware.contrib.django.TikTokMiddleware"`` first in ``MIDDLEWARE``; then ``request.tiktok`` or, typed,
``tiktok_from(request)``. ``settings.TIKTOK``, a dict such as ``{"pixel_id": ...}``, overrides the environment.
"""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from functools import lru_cache
from http.cookies import SimpleCookie
from itertools import chain
from typing import Any

from asgiref.sync import iscoroutinefunction, markcoroutinefunction, sync_to_async
from django.apps import apps
from django.conf import settings
from django.core import checks
from django.core.exceptions import ImproperlyConfigured, SynchronousOnlyOperation
from django.db import transaction
from django.db.transaction import TransactionManagementError
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.template import Context
from django.template.library import Library
from django.utils import timezone

from tiktok_middleware._printable import own_logger
from tiktok_middleware.attach import attach_to_requests
from tiktok_middleware.client import Client
from tiktok_middleware.config import DEBUG_DEFAULTS, Config
from tiktok_middleware.contrib.django_cookie_consent import PACKAGES, GroupVersion
from tiktok_middleware.core.consent.platforms import reader_for
from tiktok_middleware.core.consent.state import State
from tiktok_middleware.core.http.own_response import Answer, Wanted
from tiktok_middleware.core.page.csp import allows_inline, framework_nonce
from tiktok_middleware.core.response.actions import PASS, Commit, Forward, Phase, Step
from tiktok_middleware.core.response.exchange import Exchange
from tiktok_middleware.core.tracking.current import KEY, tracker_of, tracker_var
from tiktok_middleware.core.tracking.request_tracker import RequestTracker
from tiktok_middleware.core.tracking.tracker import Tracker
from tiktok_middleware.errors import ConfigError, EventError

__all__ = ["TikTokMiddleware", "check_settings", "register", "tiktok_client", "tiktok_from", "tiktok_on"]

log: logging.Logger = own_logger("tiktok_middleware")

GetResponse = Callable[[HttpRequest], Any]


#: A template library: ``"libraries": {"tiktok": "tiktok_middleware.contrib.django"}`` in ``OPTIONS`` of ``TEMPLATES``.
register: Any = Library()


def tiktok_on(context: Context, moment: str, event: str, **properties: Any) -> str:
    """``{% tiktok_on "load" "ViewContent" value=24.5 currency="EUR" %}``: attributes for an element of a cached page.

    Return an empty text, and log it once, if the context has no request or the middleware is not in ``MIDDLEWARE``: an
    event must not make a page fail.

    Args:
        context: the template's context, with the request from ``django.template.context_processors.request``.
        moment: ``load``, ``click`` or ``submit``.
        event: name of the event.
        properties: parameters of the event.
    """
    try:
        tracker = tiktok_from(context["request"])
    except LookupError as error:
        _say_without_request(str(error))
        return ""
    return tracker.markup(event, properties, on=moment)


@lru_cache(maxsize=8)
def _say_without_request(why: str) -> None:
    log.warning(
        "{%% tiktok_on %%} writes nothing (%s): it needs the middleware in MIDDLEWARE, and the request in the context,"
        " as render(request, ...) and django.template.context_processors.request put it there",
        why,
    )


register.simple_tag(tiktok_on, takes_context=True)


def tiktok_from(request: HttpRequest) -> Tracker:
    """Return the tracker of this request.

    Raises:
        LookupError: the middleware is not in ``MIDDLEWARE``.
    """
    return tracker_of(_raw(request))


_MIDDLEWARE = f"{__name__}.TikTokMiddleware"


@checks.register  # type: ignore[untyped-decorator]  # Django has no types
def check_settings(app_configs: object = None, **_: object) -> list[Any]:  # noqa: ARG001  # Django's name
    """Check ``settings.TIKTOK``, the environment and the position in ``MIDDLEWARE`` for ``manage.py check``.

    Django runs this check if ``"tiktok_middleware.contrib.django"`` is in ``INSTALLED_APPS``.
    """
    found: list[Any] = []
    try:
        if not isinstance(getattr(settings, "TIKTOK", None), Client):
            Config.from_env(defaults=DEBUG_DEFAULTS if settings.DEBUG else None, **_options())
    except ConfigError as error:
        found.append(checks.Error(str(error), id="tiktok.E001"))
    order = list(settings.MIDDLEWARE or ())
    if _MIDDLEWARE not in order:
        hint = f"Add {_MIDDLEWARE!r} as the first entry."
        found.append(checks.Warning("TikTokMiddleware is not in MIDDLEWARE.", hint=hint, id="tiktok.W001"))
    elif order[0] != _MIDDLEWARE:
        hint = "Put it first: it does not see what the middleware before it changes or answers."
        found.append(checks.Warning(f"TikTokMiddleware comes after {order[0]}.", hint=hint, id="tiktok.W002"))
    return found


_clients: list[Client] = []


def tiktok_client() -> Client:
    """Return the process's client for webhooks, tasks and commands: the middleware's, or one with the same settings."""
    if not _clients:
        _clients.append(_client())
    return _clients[0]


def _after_commit(call: Callable[[], None]) -> None:
    """Call after the current transaction has committed, or immediately if there is none."""
    try:
        transaction.on_commit(call)
    except (SynchronousOnlyOperation, ImproperlyConfigured):
        call()  # Django has no transaction on an event loop or without a database
    except TransactionManagementError:
        allowed = "True in a transaction of Django's own (atomic), or in autocommit mode"
        raise EventError("on_commit", "True in a transaction that Django does not manage", allowed) from None


class TikTokMiddleware:
    """Django middleware; it supports sync and async handlers."""

    sync_capable = True
    async_capable = True

    def __init__(self, get_response: GetResponse, client: Client | None = None) -> None:
        self.get_response = get_response
        self.client: Client = _in_django(client) if client is not None else _client()
        _clients[:] = [self.client]
        self._is_async = iscoroutinefunction(get_response)
        if self._is_async:
            markcoroutinefunction(self)
        if _uses_nonces(self.client.config) and not allows_inline(_configured_policy()):
            # Django looks for ``process_view`` once, at startup.
            self.process_view: Callable[..., Any] = self._before_view_async if self._is_async else self._before_view
        attach_to_requests()

    def __call__(self, request: HttpRequest) -> HttpResponseBase | Awaitable[HttpResponseBase]:
        """Handle one request."""
        return self._async(request) if self._is_async else self._sync(request)

    def _sync(self, request: HttpRequest) -> HttpResponseBase:
        asked_for = request.META.get(_TAGS, "")
        begun = self._begin(request)
        if begun is None:
            return self.get_response(request)  # type: ignore[no-any-return]  # whatever Django's handler gives
        if isinstance(begun, Wanted):
            begun = self.client.collect(begun.request, _body(request, begun))
        if isinstance(begun, Answer):
            return _own_response(begun)
        tracker_var.set(begun)
        response = self.get_response(request)
        _leave_admin_alone(request, begun)
        _ask_again(request, asked_for)
        return _ended(_Response(begun, self.client, response).handed_on())

    async def _async(self, request: HttpRequest) -> HttpResponseBase:
        asked_for = request.META.get(_TAGS, "")
        begun = self._begin(request)
        if begun is None:
            return await self.get_response(request)  # type: ignore[no-any-return]  # as above
        if isinstance(begun, Wanted):
            begun = await self.client.collect_async(begun.request, _body(request, begun))
        if isinstance(begun, Answer):
            return _own_response(begun)
        tracker_var.set(begun)
        response = await self.get_response(request)
        _leave_admin_alone(request, begun)
        _ask_again(request, asked_for)
        return _ended(await _Response(begun, self.client, response).handed_on_async())

    def _before_view(self, request: HttpRequest, *_view: object) -> None:
        """Read the nonce before the view runs: a policy contains it only if it was read before the response."""
        tracker = _raw(request).get(KEY)
        if tracker is not None and _may_get_page(request):
            tracker.state.nonce = framework_nonce(request)

    async def _before_view_async(self, request: HttpRequest, *_view: object) -> None:
        self._before_view(request)

    def _begin(self, request: HttpRequest) -> RequestTracker | Answer | Wanted | None:
        """Return the tracker for a request to the app, our own response, or None if the request passes untouched."""
        raw = _raw(request)
        if self.client.runtime.endpoint in request.path:
            own = self.client.own_response(raw)
            if own is not None:
                return own
        tracker = self.client.begin(raw)
        if tracker is None:
            return None
        tracker.state.after_commit = _after_commit
        if _TAGS in request.META:
            # Under ASGI, META is a copy of the scope's headers, whose tags of our pages have been changed: repeat it.
            request.META[_TAGS] = tracker.state.request.if_none_match
        return tracker


def _leave_admin_alone(request: HttpRequest, tracker: Tracker) -> None:
    """Disable tracking in Django's and Wagtail's admin, whose visitors are the site's own staff."""
    match = request.resolver_match
    if match is None:
        return
    names = (*match.app_names, *match.namespaces, match.url_name or "")
    if any(name == "admin" or name.startswith("wagtailadmin") for name in names):
        tracker.disable()


_TAGS = "HTTP_IF_NONE_MATCH"


def _ask_again(request: HttpRequest, asked_for: str) -> None:
    """Restore If-None-Match: outer middleware compares the browser's tags with those of our changed pages."""
    if asked_for:
        request.META[_TAGS] = asked_for


def _ended(response: HttpResponseBase) -> HttpResponseBase:
    """Reset the current tracker, because the thread serves other visitors next; a stream resets it when closed."""
    if not getattr(response, "streaming", False):
        tracker_var.set(None)
    return response


def _own_response(own: Answer) -> HttpResponse:
    response = HttpResponse(own.body, status=own.status)
    _write_headers(response, [], own.headers)
    return response


def _body(request: HttpRequest, wanted: Wanted) -> bytes:
    """Read the request's body up to one byte beyond the limit; return b"" if the client has disconnected."""
    try:
        return bytes(request.read(wanted.limit_bytes + 1))
    except OSError:
        return b""  # the client has disconnected


class _Response:
    """Applies the exchange's decisions to one response object."""

    def __init__(self, tracker: RequestTracker, client: Client, response: HttpResponseBase) -> None:
        self._tracker = tracker
        self._exchange = Exchange(tracker)
        self._client = client
        self._response = response
        self._headers = _pairs(response)
        # Django calls these when the server has sent the response.
        response._resource_closers.append(_Closer(self._finish))  # noqa: SLF001

    def handed_on(self) -> HttpResponseBase:
        """Return the response with the changes of the exchange."""
        self._do(self._exchange.response_started(self._response.status_code, self._headers))
        if self._is_untouched:
            return self._response
        response: Any = self._response
        if response.streaming:
            self._stream()
        else:
            response.content = self._body(response.content, last=True)
        return self._response

    async def handed_on_async(self) -> HttpResponseBase:
        """Do the same as ``handed_on`` on an event loop."""
        await self._do_async(self._exchange.response_started(self._response.status_code, self._headers))
        if self._is_untouched:
            return self._response
        response: Any = self._response
        if not response.streaming:
            response.content = await self._body_async(response.content, last=True)
        elif response.is_async:
            pieces = self._pieces_async(aiter(response.streaming_content))
            response.streaming_content = _chain_async(await anext(pieces, b""), pieces)
        else:
            await sync_to_async(self._stream)()
        return self._response

    def _stream(self) -> None:
        """Replace the stream. Its first piece is read now, because the head may change until that piece is sent."""
        response: Any = self._response
        pieces = self._pieces(iter(response))
        response.streaming_content = chain([next(pieces, b"")], pieces)
        response.file_to_stream = None  # the response is no longer the unchanged file

    @property
    def _is_untouched(self) -> bool:
        return self._exchange.phase is Phase.DONE

    def _pieces(self, content: Iterator[bytes]) -> Iterator[bytes]:
        try:
            for data in content:
                chunk = self._body(data, last=False)
                if chunk:
                    yield chunk
        except Exception:  # the app's own error: send what was held back, as it would have been sent before
            yield self._apply(self._exchange.give_up())
            raise
        yield self._body(b"", last=True)

    async def _pieces_async(self, content: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        try:
            async for data in content:
                chunk = await self._body_async(data, last=False)
                if chunk:
                    yield chunk
        except Exception:  # as above
            yield self._apply(self._exchange.give_up())
            raise
        yield await self._body_async(b"", last=True)

    def _body(self, data: bytes, *, last: bool) -> bytes:
        step = self._exchange.body_received(data, last=last)
        return data if step is PASS else self._do(step)

    async def _body_async(self, data: bytes, *, last: bool) -> bytes:
        step = self._exchange.body_received(data, last=last)
        return data if step is PASS else await self._do_async(step)

    def _do(self, step: Step) -> bytes:
        return self._apply(self._client.carry_out(self._exchange, step) if isinstance(step, Commit) else step)

    async def _do_async(self, step: Step) -> bytes:
        if isinstance(step, Commit):
            step = await self._client.carry_out_async(self._exchange, step)
        return self._apply(step)

    def _apply(self, step: Step) -> bytes:
        if not isinstance(step, Forward):
            return b""
        if step.headers is not None and step.headers is not self._headers:
            _write_headers(self._response, self._headers, [(str(name), str(value)) for name, value in step.headers])
        return step.body

    def _finish(self) -> None:
        self._client.end(self._tracker, self._exchange)
        tracker_var.set(None)


class _Closer:
    """Call a function when the server has sent the response. Pickling, as caches do, drops the function."""

    def __init__(self, call: Callable[[], None]) -> None:
        self._call = call

    def __call__(self) -> None:
        self._call()

    def __reduce__(self) -> tuple[Any, ...]:
        return _Closer, (_nothing,)


def _nothing() -> None:
    pass


async def _chain_async(first: bytes, rest: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    yield first
    async for piece in rest:
        yield piece


def _pairs(response: Any) -> list[tuple[str, str]]:
    cookies = [("Set-Cookie", morsel.OutputString()) for morsel in response.cookies.values()]
    return [*((str(name), str(value)) for name, value in response.items()), *cookies]


# Headers whose values are lists; Django keeps one header per name.
_LISTS = frozenset({"Server-Timing", "Access-Control-Expose-Headers", "Timing-Allow-Origin"})


def _write_headers(response: Any, before: list[tuple[str, str]], after: list[tuple[str, str]]) -> None:
    """Change the response's headers from ``before`` to ``after``."""
    for name in {name for name, _ in before} - {name for name, _ in after}:
        del response[name]
    for name, value in after:
        if (name, value) in before:
            continue
        if name == "Set-Cookie":
            _add_cookie(response.cookies, value)
        elif name in _LISTS and response.has_header(name):
            response[name] = f"{response[name]}, {value}"
        else:
            response[name] = value


def _add_cookie(cookies: SimpleCookie, line: str) -> None:
    """Add a ``Set-Cookie``. ``SimpleCookie`` holds one cookie per name, but a host-only and a domain cookie are two."""
    for name, morsel in SimpleCookie(line).items():
        key = name if name not in cookies else f"{name} of the host"
        dict.__setitem__(cookies, key, morsel)  # a morsel writes its own name, not this key


def _raw(request: HttpRequest) -> Any:
    """Return the server's environ or scope."""
    return getattr(request, "scope", None) or request.META


def _may_get_page(request: HttpRequest) -> bool:
    """Return whether the response may be a page; responses to scripts and images need no nonce."""
    asked_for, accept = request.META.get("HTTP_SEC_FETCH_DEST", ""), request.META.get("HTTP_ACCEPT", "")
    return asked_for in {"document", "iframe", "frame"} or "text/html" in accept


def _uses_nonces(config: Config) -> bool:
    return config.is_on and config.csp != "off" and not config.browser_reason


def _configured_policy() -> Mapping[str, object]:
    """Return the policy of Django (6.0 and newer) or django-csp: the enforced one, or else the report-only one."""
    for kind in ("", "_REPORT_ONLY"):
        package = getattr(settings, f"CONTENT_SECURITY_POLICY{kind}", None)
        directives = package.get("DIRECTIVES") if isinstance(package, Mapping) else None
        for policy in (getattr(settings, f"SECURE_CSP{kind}", None), directives):
            if isinstance(policy, Mapping) and policy:
                return policy
    names = ("default-src", "script-src", "script-src-elem")  # django-csp before 4.0
    return {name: getattr(settings, f"CSP_{name.upper().replace('-', '_')}", None) for name in names}


def _options() -> dict[str, Any]:
    """Return the dict ``settings.TIKTOK`` as options."""
    given = getattr(settings, "TIKTOK", None) or {}
    return {str(name).lower().removeprefix("tiktok_"): value for name, value in given.items()}


def _client() -> Client:
    """Return ``settings.TIKTOK`` if it is a client, or else a client with its options."""
    given = getattr(settings, "TIKTOK", None) or {}
    if isinstance(given, Client):
        return given
    keys = [settings.SECRET_KEY, *getattr(settings, "SECRET_KEY_FALLBACKS", ())]
    return _in_django(
        Client.from_env(secret_keys=[str(key) for key in keys if key], is_debug=settings.DEBUG, **_options())
    )


def _in_django(client: Client) -> Client:
    """Return the client, set to read naive event times in Django's ``TIME_ZONE``, as its models write them."""
    if client.runtime.zone is None:
        client.runtime.zone = timezone.get_default_timezone()
    _watch_versions(client)
    return client


def _watch_versions(client: Client) -> None:
    """Compare the versions of cookie groups, if a package with groups is installed and consent is read from it."""
    installed = next(filter(apps.is_installed, PACKAGES), "")
    if installed and client.config.consent.partition(":")[0] == "django":
        setting = reader_for(client.config.consent, implied=State.UNKNOWN).setting
        version = GroupVersion(setting.part(), setting.cookie or "cookie_consent", installed)
        client.runtime.reader = client.runtime.reader.while_current(version.covers)
