"""Make the parts of one configuration ready, and check the options that need more than their own value."""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Callable, Mapping, Sequence
from functools import partial

from tiktok_middleware._browser_rules import BrowserRule
from tiktok_middleware.config import Config
from tiktok_middleware.core.consent.consent import Reader
from tiktok_middleware.core.events.event import PAGE_VIEW, Event
from tiktok_middleware.core.events.event_names import event_name
from tiktok_middleware.core.http.proxies import Proxies
from tiktok_middleware.core.http.request import RequestView
from tiktok_middleware.core.page.csp import extended, pixel_hosts
from tiktok_middleware.core.pixel.snippet import Snippet
from tiktok_middleware.core.runtime.interfaces import Notices
from tiktok_middleware.core.runtime.runtime import Runtime, no_bot, unheard
from tiktok_middleware.core.signing import Signer
from tiktok_middleware.errors import ConfigError, EventError

__all__ = ["ROUTE", "make_runtime", "page_events"]

#: Token under which the page's script reports a route change.
ROUTE = "route"


def make_runtime(
    config: Config,
    *,
    signer: Signer,
    reader: Reader,
    pixel_js: str,
    helper_js: str,
    more_js: Mapping[str, str],
    stub_js: str,
    registrable_domain: Callable[[str], str],
    clock: Callable[[], float],
    random_bytes: Callable[[int], bytes],
    notices: Notices,
    bot_pattern: Callable[[RequestView], str] = no_bot,
    has_secret_key: bool = True,
    handed_out: Callable[[Sequence[Event]], None] = unheard,
) -> Runtime:
    """Return the prepared configuration.

    Args:
        config: checked options.
        signer: as in :class:`Runtime`.
        reader: as in :class:`Runtime`.
        pixel_js: source text of the base code.
        helper_js: source text of the helper script.
        more_js: as for :class:`Snippet`.
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
        more_js=more_js,
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
