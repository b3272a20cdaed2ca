"""Usual pages: those that our answer to is the same for every visitor, so that it need be decided but once.

Of most visitors nothing is said, and they bring nothing along. All that the answer to them depends on fits into a key;
the first page of each key is decided in the general way and leaves its recipe to the others. Nothing is decided here.
"""

from __future__ import annotations

from typing import NamedTuple

from tiktok_middleware.core.consent.consent import OWN_COOKIE
from tiktok_middleware.core.consent.platforms import opt_out
from tiktok_middleware.core.http.request import Names, RequestView
from tiktok_middleware.core.http.response_head import planned
from tiktok_middleware.core.http.response_headers import Headers
from tiktok_middleware.core.pixel.redirect_cookie import CARRY
from tiktok_middleware.core.response.policy import ASKED, Plan
from tiktok_middleware.core.runtime import Runtime
from tiktok_middleware.core.tracking.request_state import RequestState
from tiktok_middleware.core.visitor.url_redaction import holds_identity

__all__ = ["CachedDecision", "key_of"]


class CachedDecision(NamedTuple):
    """What becomes of a usual page.

    Attributes:
        plan: what may be done with it.
        script: the script elements that go into it.
        is_personal: whether no shared cache may keep them.
        mark: names them in entity tags; empty where they are not everybody's.
    """

    plan: Plan
    script: bytes
    is_personal: bool
    mark: str


_READ = Names(*ASKED.texts, "sec-gpc")


def key_of(status: int, headers: Headers, request: RequestView, runtime: Runtime, state: RequestState) -> object:
    """All that decides over a page of which nothing is unusual; None where something is.

    What the app and this visitor's browser write into the page or its headers is unusual, but for the visitor's ids:
    their cookies come on top.

    Args:
        status: the HTTP status.
        headers: the app's.
        request: the request.
        runtime: the configuration.
        state: of the request.
    """
    if runtime.writes_ids or not state.is_untouched or (runtime.has_exclusions and runtime.is_excluded(request.path)):
        return None
    method, cookies = request.method, request.cookie_header
    if method == "POST" or CARRY in cookies or holds_identity(request.target):
        return None
    said = planned(headers)
    if said is None:
        return None
    is_silent = runtime.is_implied and OWN_COOKIE not in cookies and not opt_out(cookies)
    consent = None if is_silent else state.consent
    return status, said, method, request.values(_READ), state.shared_word, request.mount, consent
