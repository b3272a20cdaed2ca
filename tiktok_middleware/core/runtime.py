"""Prepare one configuration at start, so that requests look up values instead of computing them."""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import tzinfo
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from tiktok_middleware._browser_rules import BrowserRule
from tiktok_middleware.config import Config
from tiktok_middleware.core.consent.consent import Reader
from tiktok_middleware.core.consent.missing_platform import Silence, silence_of
from tiktok_middleware.core.events.event import PAGE_VIEW, Event, OutboxEntry
from tiktok_middleware.core.events.event_names import event_name
from tiktok_middleware.core.http.proxies import Proxies
from tiktok_middleware.core.http.request import RequestView
from tiktok_middleware.core.http.url_prefix import url_prefix
from tiktok_middleware.core.page.csp import extended, pixel_hosts
from tiktok_middleware.core.page.held_memory import PageMemory
from tiktok_middleware.core.page.known_heads import KnownHeads
from tiktok_middleware.core.pixel.snippet import Snippet
from tiktok_middleware.core.signing import Signer
from tiktok_middleware.errors import ConfigError, EventError

if TYPE_CHECKING:
    from tiktok_middleware.core.response.decision_cache import Effects

__all__ = ["ROUTE", "BoundedCache", "DraftWriter", "Notices", "Runtime", "make_runtime", "page_events"]

#: Token under which the page's script reports a route change.
ROUTE = "route"

_K = TypeVar("_K")
_V = TypeVar("_V")

_MAX_ENTRIES = 512
_MAX_CHARS = 1024


class BoundedCache(dict[_K, _V]):
    """Cache of results, keyed by all their inputs. It is bounded because visitors control part of the keys."""

    __slots__ = ()

    def keep(self, key: _K, answer: _V) -> None:
        """Store ``answer`` under ``key``, unless the texts of the key are long: such a key rarely repeats."""
        if _chars(key) <= _MAX_CHARS:
            if len(self) >= _MAX_ENTRIES:
                self.clear()
            self[key] = answer


def _chars(part: object) -> int:
    if isinstance(part, (str, bytes)):
        return len(part)
    return sum(map(_chars, part)) if isinstance(part, tuple) else 0


class Notices(Protocol):
    """Receives what the core has to report: counts, log lines and errors."""

    def count(self, reason: str) -> None:
        """Count one more occurrence of a reason code, a snake_case word."""

    def tracked_under(self, consent: str) -> None:
        """Count one more event of a visitor with this consent: ``granted``, or the reason code of any other."""

    def tracked_in(self, app: str) -> None:
        """Count one more event that was tracked in the built-in browser of this app."""

    def left_out_bot(self, pattern: str) -> None:
        """Count one more server copy that was left out because the user agent matches this pattern of bots."""

    def once(self, cause: str, message: str) -> None:
        """Log a message once per cause."""

    def detail(self, message: str) -> None:
        """Log a message for somebody who looks for one event."""

    def failure(self, part: str, error: BaseException) -> None:
        """Report an error of the middleware itself that was kept away from the app."""


class DraftWriter(Protocol):
    """Writes drafts of events into the app's own transactions."""

    def refusal(self, connection: object) -> str:
        """Return which connections are allowed instead of this one; empty if it can be used."""

    def write(self, connection: object, ref: str, entry: OutboxEntry) -> str:
        """Write a draft within a savepoint of the app's transaction; return a reason code if that failed, else "".

        Never raises, and leaves the app's transaction as usable as it was.
        """

    def statement(self, ref: str, entry: OutboxEntry, style: str) -> tuple[str, object]:
        """Return the SQL statement that writes a draft, and its parameters, for a driver's style of placeholders.

        Raises:
            EventError: ``style`` is unknown.
        """


def _no_drafts() -> DraftWriter | None:
    return None


def _no_transaction() -> object:
    return None


def _no_bot(_: RequestView) -> str:
    return ""


def _unheard(_: Sequence[Event]) -> None:
    pass


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
    bot_pattern: Callable[[RequestView], str] = _no_bot
    has_secret_key: bool = True
    page_watch: Callable[[Callable[[], RequestView]], None] | None = None
    handed_out: Callable[[Sequence[Event]], None] = _unheard
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
    decisions: BoundedCache[object, Effects | None] = field(init=False)
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


def make_runtime(
    config: Config,
    *,
    signer: Signer,
    reader: Reader,
    pixel_js: str,
    helper_js: str,
    restored_js: str,
    stub_js: str,
    registrable_domain: Callable[[str], str],
    clock: Callable[[], float],
    random_bytes: Callable[[int], bytes],
    notices: Notices,
    bot_pattern: Callable[[RequestView], str] = _no_bot,
    has_secret_key: bool = True,
    handed_out: Callable[[Sequence[Event]], None] = _unheard,
) -> Runtime:
    """Return the prepared configuration.

    Args:
        config: checked options.
        signer: as in :class:`Runtime`.
        reader: as in :class:`Runtime`.
        pixel_js: source text of the base code.
        helper_js: source text of the helper script.
        restored_js: source text of the script for pages that the browser restored.
        stub_js: source text of the script for visitors who have refused.
        registrable_domain: returns a host name's registrable domain by the public suffix list; empty if it has none.
        clock: as in :class:`Runtime`.
        random_bytes: as in :class:`Runtime`.
        notices: as in :class:`Runtime`.
        bot_pattern: as in :class:`Runtime`.
        has_secret_key: as in :class:`Runtime`.
        handed_out: as in :class:`Runtime`.

    Raises:
        ConfigError: ``TIKTOK_BROWSER_EVENTS`` or ``TIKTOK_BROWSER_RULES`` contains an invalid event name.
    """
    snippet = Snippet(
        pixel_js=pixel_js,
        helper_js=helper_js,
        restored_js=restored_js,
        stub_js=stub_js,
        pixels=config.pixels,
        pixel_url=config.pixel_url,
        options=_load_options(config),
        endpoint=config.endpoint,
        cookie_domain=config.cookie_domain,
    )
    return Runtime(
        config=config,
        signer=signer,
        snippet=snippet,
        reader=reader,
        proxies=Proxies(config.trusted_proxies, config.proxy_header),
        is_excluded=_excluder(config.exclude),
        url_allow=frozenset(config.url_allow.split(",")) - {""},
        url_deny=frozenset(config.url_deny.lower().split(",")) - {""},
        browser_events=_browser_events(config.browser_events),
        page_events=page_events(config),
        cookie_domain=_domain_rule(config.cookie_domain, registrable_domain),
        extend_policy=partial(extended, hosts=pixel_hosts(config.pixel_url)) if config.csp == "extend" else None,
        clock=clock,
        random_bytes=random_bytes,
        notices=notices,
        bot_pattern=bot_pattern,
        has_secret_key=has_secret_key,
        handed_out=handed_out,
    )


def _load_options(config: Config) -> dict[str, object]:
    """Return the arguments of ``ttq.load`` that differ from the pixel's own defaults."""
    options: dict[str, object] = {}
    if not config.auto_events:
        options["autoConfig"] = False
    if not config.history_observer:
        options["historyObserver"] = False
    return options


def _browser_events(names: str) -> frozenset[str]:
    """Return the event names as they are sent. A retired name becomes its new name."""
    try:
        return frozenset(event_name(name)[0] for name in names.split(",") if name)
    except EventError as error:
        raise ConfigError("TIKTOK_BROWSER_EVENTS", names, f"names of events; one {error}") from None


def page_events(config: Config) -> dict[str, str]:
    """Return the events of rules and of route changes, by the tokens that the page's script reports.

    Raises:
        ConfigError: a rule has an invalid event name.
    """
    found = {ROUTE: PAGE_VIEW} if config.page_view == "matched" and config.history_observer else {}
    return {**found, **{rule.token: _event_of(rule) for rule in config.rules}}


def _event_of(rule: BrowserRule) -> str:
    try:
        return event_name(rule.event)[0]
    except EventError as error:
        allowed = f"rules with names of events; in this rule {error}"
        raise ConfigError("TIKTOK_BROWSER_RULES", " ".join(rule), allowed) from None


def _excluder(globs: str) -> Callable[[str], bool]:
    if not globs:
        return lambda _: False
    pattern = re.compile("|".join(fnmatch.translate(glob) for glob in globs.split(",")))
    return lambda path: pattern.match(path) is not None


def _domain_rule(setting: str, registrable_domain: Callable[[str], str]) -> Callable[[str], str]:
    if setting == "host":
        return lambda _: ""
    if setting == "auto":
        return registrable_domain

    def fixed(hostname: str) -> str:
        # Browsers drop a cookie whose domain does not include the page's host.
        return setting if hostname == setting or hostname.endswith("." + setting) else ""

    return fixed
