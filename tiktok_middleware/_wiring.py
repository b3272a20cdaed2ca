"""Make the parts of a client from its configuration."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from inspect import iscoroutinefunction, signature
from pathlib import Path
from types import MappingProxyType
from typing import Any

from tiktok_middleware._bots import agent_of, make_ready
from tiktok_middleware._browser_rules import BrowserRule
from tiktok_middleware.config import Config
from tiktok_middleware.core.consent.bridge_settings import page_side
from tiktok_middleware.core.events.sources import SOURCES
from tiktok_middleware.core.http.request import RequestView
from tiktok_middleware.core.import_setting import imported
from tiktok_middleware.core.runtime import ROUTE
from tiktok_middleware.core.signing import derive_key
from tiktok_middleware.core.visitor.bots import PERSON, TOOL, BotRule, sent_by
from tiktok_middleware.core.visitor.hashing import load_numbering_plans
from tiktok_middleware.delivery.options import DeliveryOptions
from tiktok_middleware.delivery.outbox.environment import environment_of
from tiktok_middleware.delivery.outbox.location import outbox_path, outbox_url, spool_path
from tiktok_middleware.errors import ConfigError

__all__ = [
    "MORE_FILES",
    "base_code",
    "bot_rule",
    "browser_file",
    "delivery_options",
    "domain_rule",
    "helper_file",
    "helper_mark",
    "load_phone_numbers",
    "no_domain",
    "pixels_of_host",
    "registrable_domain",
    "signing_keys",
]


#: The scripts that the helper loads when a page needs them.
MORE_FILES = ("beside", "restored")


def signing_keys(config: Config, framework_keys: tuple[str, ...]) -> list[str]:
    """Return the signing keys, newest first: our own, else derived from the framework's, the token or the pixel id."""
    if config.secret_key:
        return config.secret_key.split(",")
    if framework_keys:
        return [derive_key(key) for key in framework_keys]
    # Without an access token a forged cookie can cause no server copy, so the public pixel id is enough.
    return [derive_key(config.access_token or config.pixel_id)]


def bot_rule(config: Config) -> Callable[[RequestView], str]:
    """Return a function that returns the pattern by which a request is a bot's; empty for a person's request.

    People try out a site with tools, such as curl or an automated browser. So tools are bots only where events count,
    not in the sandbox, in Test Events or with a custom sink.
    """
    counts = config.is_tiktok_api and not config.test_event_code and config.sink in {"direct", "celery"}
    if config.is_on and not config.server_reason:
        make_ready()
    people = {PERSON} if counts else {PERSON, TOOL}
    rules = [BotRule(rule[0] == "+", rule, re.compile(rule[1:], re.IGNORECASE)) for rule in config.bot_rules]

    def bot_pattern(request: RequestView) -> str:
        found = agent_of(request.header("user-agent"), rules, sent_by(request))
        return "" if found.kind in people else found.pattern

    return bot_pattern


def base_code(snippet: str, page_view: str = "browser") -> tuple[str, str]:
    """Return the text of a page's script, and of the script for visitors who have refused.

    Args:
        snippet: the value of ``TIKTOK_SNIPPET``.
        page_view: the value of ``TIKTOK_PAGE_VIEW``.
    """
    kind = snippet if snippet in {"adopt", "gtm"} else page_view
    pixel = f"pixel_{kind}.js" if kind in {"adopt", "gtm", "matched"} else "pixel.js"
    return browser_file(pixel), browser_file("stub_gtm.js" if snippet == "gtm" else "stub.js")


def browser_file(name: str) -> str:
    """Return the text of a script of the ``browser`` folder, as it was built for pages."""
    from importlib import resources  # noqa: PLC0415  # 8 ms of imports: keeps the import of adapters fast

    return resources.files("tiktok_middleware.browser").joinpath(f"built/{name}").read_text("ascii")


def helper_file(
    consent: str,
    cookie_domain: str = "auto",
    gpc: str = "deny",
    *,
    rules: Sequence[BrowserRule] = (),
    events: Mapping[str, str] = MappingProxyType({}),
    looks: bool = False,
) -> str:
    """Return the text of the helper script, with the scripts that the options ask for.

    Args:
        consent: the value of ``TIKTOK_CONSENT``.
        cookie_domain: the value of ``TIKTOK_COOKIE_DOMAIN``.
        gpc: the value of ``TIKTOK_GPC``.
        rules: the rules of ``TIKTOK_BROWSER_RULES``.
        events: names of the events that these scripts report, by token.
        looks: whether each page looks for another base code and a gateway, whatever it seems to hold.

    Raises:
        ConfigError: ``consent`` names a platform for which there is no such script.
    """
    side = page_side(consent, cookie_domain, gpc)
    files = ["helper.js", *(["bridge.js", *(f"bridges/{name}.js" for name in side.files)] if side.files else [])]
    if side.asks_after_requests:
        files.append("asks.js")
    settings = dict(side.settings)
    if looks:
        settings["l"] = 1
    if rules:
        files.append("rules.js")
        settings["r"] = [[rule.selector, rule.moment, events[rule.token], rule.token] for rule in rules]
    if ROUTE in events:
        files.append("routes.js")
        settings["v"] = ROUTE
    return "\n".join([_told(settings), *map(browser_file, files)])


def _told(settings: Mapping[str, object]) -> str:
    """Return a line of JavaScript that stores the settings for the scripts after it."""
    return f"window.tiktok&&(tiktok.s={json.dumps(settings, separators=(',', ':'))});"


def domain_rule(config: Config) -> Callable[[str], str]:
    """Return the function that finds the registrable domain of a host; read its list now, not in the first response."""
    if not config.is_on:
        return no_domain
    if config.cookie_domain == "auto":
        _suffix_list()
    return registrable_domain


def load_phone_numbers(config: Config) -> None:
    """Import what reads phone numbers now, not in the first request that has one."""
    if config.is_on and "phone" in config.allowed_match_keys:
        load_numbering_plans(config.phone_region)


def helper_mark(outbox: str) -> Path | None:
    """Return the file beside the outbox that marks that the helper was requested; None without an SQLite outbox."""
    path = outbox_path(outbox) if outbox.startswith("sqlite:") else None
    return path.with_name(f"{path.name}.helper") if path is not None else None


def pixels_of_host(config: Config) -> Callable[[str], object] | None:
    """Return the function that chooses pixels by host; None if all hosts have the same pixels.

    Raises:
        ConfigError: the function cannot be imported, or is asynchronous.
    """
    setting = config.pixel_by_host
    if not setting or not config.is_on:
        return None
    allowed = "a function that takes a host name and returns pixel ids"
    found = imported("TIKTOK_PIXEL_BY_HOST", setting, what="a function", allowed=allowed)
    if iscoroutinefunction(found) or iscoroutinefunction(getattr(found, "__call__", None)):  # noqa: B004  # an object's method
        raise ConfigError("TIKTOK_PIXEL_BY_HOST", setting, f"{allowed}, without async")
    try:
        signature(found).bind("shop.example")
    except TypeError as error:
        raise ConfigError("TIKTOK_PIXEL_BY_HOST", setting, f"{allowed}; calling it: {error}") from error
    except ValueError:  # written in C, with unknown arguments
        pass
    return found


def no_domain(_: str) -> str:
    """Return no domain, for host-only cookies."""
    return ""


@lru_cache(maxsize=1)
def _suffix_list() -> Any:
    from publicsuffixlist import PublicSuffixList  # noqa: PLC0415  # 9,000 rules, 25 ms

    return PublicSuffixList()


@lru_cache(maxsize=1024)
def registrable_domain(hostname: str) -> str:
    """Return the registrable domain, such as ``shop.co.uk``; empty for IP addresses and single labels."""
    # For cookies, a name with a trailing dot is another host, which only gets host-only cookies back.
    if "." not in hostname or ":" in hostname or re.fullmatch(r"[\d.]+", hostname) or "" in hostname.split("."):
        return ""
    domain = _suffix_list().privatesuffix(hostname) or ""
    return "" if domain.startswith("-") else domain  # invalid label: browsers would reject the cookie


def delivery_options(config: Config) -> DeliveryOptions:
    """Return the options of the delivery.

    Raises:
        ConfigError: the sink cannot be imported, or lacks its extra.
    """
    return DeliveryOptions(
        outbox=outbox_url(config) if config.is_on else "memory://",
        spool=spool_path(config) if config.is_on else "",
        sync=config.sync,
        flush=config.flush,
        api_url=config.api_url,
        tokens=config.token_by_pixel if any(not config.source_reason(source) for source in SOURCES) else {},
        test_event_code=config.test_event_code or None,
        sink=_sink(config),
        environment=environment_of(config.api_url, config.test_event_code, config.environment),
        pixels=config.pixels,
        sends=_sent(config),
        delay_s=float(config.delay),
        ledger_s=config.ledger_days * 86400.0,
        dead_s=config.dead_letter_days * 86400.0,
        once_undecided=config.once_undecided,
    )


def _sent(config: Config) -> tuple[str, ...]:
    """Return the pixels and event sets whose records this process sends."""
    if config.sink == "direct":
        return tuple(config.token_by_pixel)
    return tuple(dict.fromkeys(target for source in SOURCES for target in config.targets(source)))


def _sink(config: Config) -> Any:
    """Return ``direct``, or the factory of the sink."""
    if config.sink == "direct":
        return "direct"
    if config.sink != "celery":
        return imported("TIKTOK_SINK", config.sink, what="a factory", allowed="a factory: a function that makes a sink")
    try:
        from tiktok_middleware.delivery.celery import sink_factory  # noqa: PLC0415  # an extra
    except ImportError as error:
        allowed = f'celery with its extra: pip install "tiktok-middleware[celery]" ({error})'
        raise ConfigError("TIKTOK_SINK", "celery", allowed) from error
    return sink_factory(config.celery_broker)
