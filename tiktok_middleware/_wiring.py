"""Make the parts of a client from its configuration."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

from tiktok_middleware._bots import PERSON, TOOL, kind_of, make_ready
from tiktok_middleware.config import Config
from tiktok_middleware.core.consent.bridge_settings import page_side
from tiktok_middleware.core.events.sources import SOURCES
from tiktok_middleware.core.import_setting import imported
from tiktok_middleware.core.signing import derive_key
from tiktok_middleware.delivery.delivery import DeliveryOptions
from tiktok_middleware.delivery.outbox.environment import environment_of
from tiktok_middleware.delivery.outbox.location import outbox_path, outbox_url
from tiktok_middleware.errors import ConfigError

__all__ = [
    "bot_rule",
    "browser_file",
    "delivery_options",
    "domain_rule",
    "helper_file",
    "helper_mark",
    "no_domain",
    "registrable_domain",
    "signing_keys",
]


def signing_keys(config: Config, framework_keys: tuple[str, ...]) -> list[str]:
    """The keys that sign, newest first: the team's own, else made from the framework's, else from what there is."""
    if config.secret_key:
        return config.secret_key.split(",")
    if framework_keys:
        return [derive_key(key) for key in framework_keys]
    # Without a token there is no server copy that a forged cookie could cause.
    return [derive_key(config.access_token or config.pixel_id)]


def bot_rule(config: Config) -> Callable[[str], bool]:
    """Whether a user agent is no person's.

    Tools, such as curl or a browser that a test drives, are what a site is tried out with: they are bots only where
    events count, and not in the sandbox, Test Events or a sink of the team's own.
    """
    counts = config.is_tiktok_api and not config.test_event_code and config.sink in {"direct", "celery"}
    if config.is_on and not config.server_reason:
        make_ready()
    people = {PERSON} if counts else {PERSON, TOOL}
    return lambda agent: kind_of(agent) not in people


def browser_file(name: str) -> str:
    """The text of a script of the ``browser`` folder."""
    from importlib import resources  # noqa: PLC0415  # 8 ms of imports that importing a door need not pay

    return resources.files("tiktok_middleware.browser").joinpath(name).read_text("utf-8")


def helper_file(consent: str, cookie_domain: str = "auto") -> str:
    """The text of the helper script, with what asks the consent platforms that only their pages can read.

    Args:
        consent: the value of ``TIKTOK_CONSENT``.
        cookie_domain: the value of ``TIKTOK_COOKIE_DOMAIN``.

    Raises:
        ConfigError: it names a platform that we do not know how to ask.
    """
    side = page_side(consent, cookie_domain)
    asked = ["bridge.js", *(f"bridges/{name}.js" for name in side.files)] if side.files else []
    return "\n".join([_told(side.settings), *map(browser_file, ["helper.js", *asked])])


def _told(settings: Mapping[str, object]) -> str:
    """A line of JavaScript that leaves the settings where the scripts behind it look for them.

    Texts stand in single quotes, as the scripts' own do.
    """
    text = json.dumps(settings).replace("'", "\\u0027").replace('\\"', "\\u0022").replace('"', "'")
    return f"window.tiktok && (tiktok.s = {text});"


def domain_rule(config: Config) -> Callable[[str], str]:
    """Return what tells the registrable domain of a host; its list is read now, not by the first response."""
    if not config.is_on:
        return no_domain
    if config.cookie_domain == "auto":
        _suffix_list()
    return registrable_domain


def helper_mark(outbox: str) -> Path | None:
    """Return the file beside the outbox that says that the helper was asked for; None without such an outbox."""
    path = outbox_path(outbox) if outbox.startswith("sqlite:") else None
    return path.with_name(f"{path.name}.helper") if path is not None else None


def no_domain(_: str) -> str:
    """No domain: host-only cookies, if any."""
    return ""


@lru_cache(maxsize=1)
def _suffix_list() -> Any:
    from publicsuffixlist import PublicSuffixList  # noqa: PLC0415  # 9,000 rules, 25 ms

    return PublicSuffixList()


@lru_cache(maxsize=1024)
def registrable_domain(hostname: str) -> str:
    """The domain that one owner holds, such as ``shop.co.uk``; empty for addresses and single labels."""
    # With a dot at its end a name is another host to cookies: none but a host-only cookie comes back to it.
    if "." not in hostname or ":" in hostname or re.fullmatch(r"[\d.]+", hostname) or "" in hostname.split("."):
        return ""
    domain = _suffix_list().privatesuffix(hostname) or ""
    return "" if domain.startswith("-") else domain  # no label begins so: browsers would refuse the cookie


def delivery_options(config: Config) -> DeliveryOptions:
    """How delivery keeps and sends events.

    Raises:
        ConfigError: the sink cannot be imported, or lacks its extra.
    """
    return DeliveryOptions(
        outbox=outbox_url(config) if config.is_on else "memory://",
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
    """The pixels and event sets whose records this process sends."""
    if config.sink == "direct":
        return tuple(config.token_by_pixel)
    return tuple(dict.fromkeys(target for source in SOURCES for target in config.targets(source)))


def _sink(config: Config) -> Any:
    """``direct``, or what makes the sink."""
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
