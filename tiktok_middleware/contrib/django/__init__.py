"""Django under WSGI and ASGI: the adapter for its response objects; the exchange decides.

Put ``"tiktok_middleware.contrib.django.TikTokMiddleware"`` first in ``MIDDLEWARE``; then ``request.tiktok`` or, typed,
``tiktok_from(request)``. ``settings.TIKTOK``, a dict such as ``{"pixel_id": ...}``, overrides the environment.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from functools import lru_cache
from typing import Any

from asgiref.sync import iscoroutinefunction, markcoroutinefunction
from django.core.exceptions import ImproperlyConfigured, SynchronousOnlyOperation
from django.db import transaction
from django.db.transaction import TransactionManagementError
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.template import Context
from django.template.library import Library

from tiktok_middleware._printable import own_logger
from tiktok_middleware.attach import attach_to_requests
from tiktok_middleware.client import Client
from tiktok_middleware.contrib._django_response import Closer as _Closer  # noqa: F401  # pickled responses name it
from tiktok_middleware.contrib._django_response import DjangoResponse, own_response
from tiktok_middleware.contrib._django_response import nothing as _nothing  # noqa: F401  # and this
from tiktok_middleware.contrib._django_settings import check_settings, client_of_settings, in_django, needs_nonce
from tiktok_middleware.core.http.own_response import Answer, Wanted
from tiktok_middleware.core.page.csp import framework_nonce
from tiktok_middleware.core.tracking.current import KEY, tracker_of, tracker_var
from tiktok_middleware.core.tracking.request_tracker import RequestTracker
from tiktok_middleware.core.tracking.tracker import Tracker
from tiktok_middleware.errors import EventError

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


_clients: list[Client] = []


def tiktok_client() -> Client:
    """Return the process's client for webhooks, tasks and commands: the middleware's, or one with the same settings."""
    if not _clients:
        _clients.append(client_of_settings())
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
        self.client: Client = in_django(client) if client is not None else client_of_settings()
        _clients[:] = [self.client]
        self._is_async = iscoroutinefunction(get_response)
        if self._is_async:
            markcoroutinefunction(self)
        if needs_nonce(self.client.config):
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
            return own_response(begun)
        tracker_var.set(begun)
        response = self.get_response(request)
        _leave_admin_alone(request, begun)
        _restore_if_none_match(request, asked_for)
        return _ended(DjangoResponse(begun, self.client, response).handed_on())

    async def _async(self, request: HttpRequest) -> HttpResponseBase:
        asked_for = request.META.get(_TAGS, "")
        begun = self._begin(request)
        if begun is None:
            return await self.get_response(request)  # type: ignore[no-any-return]  # as above
        if isinstance(begun, Wanted):
            begun = await self.client.collect_async(begun.request, _body(request, begun))
        if isinstance(begun, Answer):
            return own_response(begun)
        if not self.client.is_prepared:
            await self.client.prepare()
        tracker_var.set(begun)
        response = await self.get_response(request)
        _leave_admin_alone(request, begun)
        _restore_if_none_match(request, asked_for)
        return _ended(await DjangoResponse(begun, self.client, response).handed_on_async())

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
    match: Any = request.resolver_match
    if match is None:
        return
    names = (*match.app_names, *match.namespaces, match.url_name or "")
    if any(name == "admin" or name.startswith("wagtailadmin") for name in names):
        tracker.disable()


_TAGS = "HTTP_IF_NONE_MATCH"


def _restore_if_none_match(request: HttpRequest, asked_for: str) -> None:
    """Put back the browser's own If-None-Match. The app may have received it without our mark.

    Outer middleware compares it with the ETag of the response, which may contain the mark.
    """
    if asked_for:
        request.META[_TAGS] = asked_for


def _ended(response: HttpResponseBase) -> HttpResponseBase:
    """Reset the current tracker, because the thread serves other visitors next; a stream resets it when closed."""
    if not getattr(response, "streaming", False):
        tracker_var.set(None)
    return response


def _body(request: HttpRequest, wanted: Wanted) -> bytes:
    """Read the request's body up to one byte beyond the limit; return b"" if the client has disconnected."""
    try:
        return bytes(request.read(wanted.limit_bytes + 1))
    except OSError:
        return b""  # the client has disconnected


def _raw(request: HttpRequest) -> Any:
    """Return the server's environ or scope."""
    return getattr(request, "scope", None) or request.META


def _may_get_page(request: HttpRequest) -> bool:
    """Return whether the response may be a page; responses to scripts and images need no nonce."""
    asked_for, accept = request.META.get("HTTP_SEC_FETCH_DEST", ""), request.META.get("HTTP_ACCEPT", "")
    return asked_for in {"document", "iframe", "frame"} or "text/html" in accept
