"""The parts of one configuration, ready for use."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import tzinfo
from typing import Any

from tiktok_middleware.config import Config
from tiktok_middleware.core.consent.consent import Reader
from tiktok_middleware.core.consent.missing_platform import Silence, silence_of
from tiktok_middleware.core.events.event import DraftWriter, Event
from tiktok_middleware.core.http.proxies import Proxies
from tiktok_middleware.core.http.request import RequestView
from tiktok_middleware.core.http.url_prefix import url_prefix
from tiktok_middleware.core.page.held_memory import PageMemory
from tiktok_middleware.core.page.known_heads import KnownHeads
from tiktok_middleware.core.pixel.snippet import Snippet
from tiktok_middleware.core.runtime.awaited_requests import AwaitedRequests
from tiktok_middleware.core.runtime.bounded_cache import BoundedCache
from tiktok_middleware.core.runtime.interfaces import Notices
from tiktok_middleware.core.signing import Signer

__all__ = ["Runtime", "no_bot", "unheard"]


def _no_drafts() -> DraftWriter | None:
    return None


def _no_transaction() -> object:
    return None


def no_bot(_: RequestView) -> str:
    """Return that a request is a person's."""
    return ""


def unheard(_: Sequence[Event]) -> None:
    """Ignore events that leave with a response."""


@dataclass(slots=True, eq=False, kw_only=True)
class Runtime:
    """The parts of one configuration.

    Attributes:
        config: the options.
        signer: signs what browsers keep.
        snippet: makes the scripts of pages.
        reader: reads the consent state.
        proxies: the trusted proxies.
        is_excluded: returns whether a path gets no snippet and sends no events.
        url_allow, url_deny: query keys that page addresses on the server channel keep, or lose.
        browser_events: names of events that a page may send by itself.
        page_events: names of events that the page's script reports, by the token that it reports.
        cookie_domain: returns the ``Domain`` of the visitor's cookies for a host name; empty for host-only.
        extend_policy: adds the pixel's hosts to a Content Security Policy; None if policies are not changed.
        clock: returns the time, in Unix seconds.
        random_bytes: returns a number of random bytes.
        notices: receives counts, log lines and errors.
        bot_pattern: returns the pattern by which a request is a bot's; empty for a person's request.
        has_secret_key: whether the signer's key is a separate secret, which lasts longer than an access token.
        handed_out: called with the events whose browser copies leave with a response.
        page_watch: called for each page that leaves with our script, with a function that returns the request; None if
            not needed.
        is_on: whether the middleware does anything at all.
        endpoint: the path prefix that the middleware answers itself.
        has_exclusions: whether any paths are excluded.
        browser_reason, server_reason: why nothing may be sent through a channel; empty if the channel is open.
        limited_data_use: TikTok's flag, as the site sets it for all visitors.
        pixels: the pixel codes.
        is_tiktok_api: whether server events go to TikTok's own hosts.
        gate: which signals the page's script checks in the browser; values as for ``Snippet.page``. With implied
            consent the script checks for refusals too: a cache may store a page against its headers, and the stored
            page must not load the pixel for visitors who have refused.
        is_implied: whether a visitor who has made no choice counts as having agreed.
        counts_pages: whether the script of a document counts a page view.
        seals_pages: whether the browser confirms page views, which are then counted on both channels.
        mints: whether a visitor without a ``_ttp`` cookie gets one.
        writes_ids: whether pages get an id of their own.
        decisions, targets, heads, click_cookies: caches for frequent responses; see ``response.decision_cache``.
        cookie_attributes: attributes of the visitor's cookies, by scheme and host.
        page_memory: bounds the memory for heads of pages that are still being searched.
        awaited: events that wait for a browser's next request.
        silence: watches whether the consent platform's cookie is missing; None once that is decided, or if no such
            cookie is read.
        is_bridged: whether the page itself reports the visitor's choice.
        match_keys: keys of TikTok's ``user`` object that may be sent, on both channels.
        zone: time zone for event times that have none; None for UTC.
        by_host: returns the runtime with the pixels of a host name; None if all hosts have the same pixels.
        currency: currency of events with a value and no currency; empty for none.
        drafts: returns what writes drafts into the app's transactions; None if the outbox takes none.
        transaction: returns the app's connection if a transaction is open whose events are drafts; else None.
    """

    config: Config
    signer: Signer
    snippet: Snippet
    reader: Reader
    proxies: Proxies
    is_excluded: Callable[[str], bool]
    url_allow: frozenset[str]
    url_deny: frozenset[str]
    browser_events: frozenset[str]
    page_events: Mapping[str, str]
    cookie_domain: Callable[[str], str]
    extend_policy: Callable[[str], str] | None
    clock: Callable[[], float]
    random_bytes: Callable[[int], bytes]
    notices: Notices
    bot_pattern: Callable[[RequestView], str] = no_bot
    has_secret_key: bool = True
    page_watch: Callable[[Callable[[], RequestView]], None] | None = None
    handed_out: Callable[[Sequence[Event]], None] = unheard
    is_on: bool = field(init=False)
    endpoint: str = field(init=False)
    has_exclusions: bool = field(init=False)
    limited_data_use: bool = field(init=False)
    browser_reason: str = field(init=False)
    server_reason: str = field(init=False)
    pixels: tuple[str, ...] = field(init=False)
    is_tiktok_api: bool = field(init=False)
    is_implied: bool = field(init=False)
    gate: int = field(init=False)
    counts_pages: bool = field(init=False)
    seals_pages: bool = field(init=False)
    mints: bool = field(init=False)
    is_bridged: bool = field(init=False)
    silence: Silence | None = field(init=False)
    writes_ids: bool = field(init=False)
    decisions: BoundedCache[object, Any] = field(init=False)
    targets: BoundedCache[object, bool] = field(init=False)
    heads: KnownHeads = field(init=False)
    click_cookies: BoundedCache[tuple[object, ...], tuple[Any, ...]] = field(init=False)
    cookie_attributes: BoundedCache[tuple[str, ...], dict[str, str]] = field(init=False)
    match_keys: frozenset[str] = field(init=False)
    zone: tzinfo | None = None
    by_host: Callable[[str], Runtime] | None = None
    currency: str = ""
    drafts: Callable[[], DraftWriter | None] = _no_drafts
    transaction: Callable[[], object] = _no_transaction
    page_memory: PageMemory = field(init=False)
    awaited: AwaitedRequests = field(default_factory=AwaitedRequests)

    def __post_init__(self) -> None:
        config = self.config
        self.is_on = config.is_on
        self.endpoint = config.endpoint
        self.has_exclusions = config.exclude != ""
        self.limited_data_use = config.limited_data_use
        self.browser_reason = config.browser_reason
        self.server_reason = config.server_reason
        self.pixels = config.pixels
        self.is_tiktok_api = config.is_tiktok_api
        self.is_implied = config.consent == "implied"
        self.gate = {"ignore": 2, "deny": 1, "limit": 3}[config.gpc] if self.is_implied else 0
        self.counts_pages = config.page_view == "browser" and config.snippet != "gtm"
        self.seals_pages = config.page_view == "matched"
        self.mints = config.ttp == "mint"
        self.writes_ids = self.seals_pages or self.mints
        self.decisions = BoundedCache()
        self.targets = BoundedCache()
        self.heads = KnownHeads()
        self.cookie_attributes = BoundedCache()
        self.click_cookies = BoundedCache()
        self.match_keys = config.allowed_match_keys
        if "ttclid" not in self.match_keys:  # TikTok also reads it from the page's address
            self.url_deny |= {"ttclid"}
        self.page_memory = PageMemory()
        self.is_bridged = self.reader.is_bridged
        self.silence = silence_of(config.consent)

    def serving(self, request: RequestView) -> Runtime:
        """Return the runtime with the pixels of this request's host."""
        return self if self.by_host is None else self.by_host(request.hostname)

    def helper_url(self, request: RequestView) -> str:
        """Return the path of the helper script under this request's mount point."""
        return url_prefix(request.mount) + self.snippet.helper_path

    def collect_url(self, request: RequestView) -> str:
        """Return the path to which pages report events."""
        return f"{url_prefix(request.mount)}{self.config.endpoint}/collect"
