"""All options, with their units, defaults and meanings; each is validated when a configuration is made."""

from __future__ import annotations

import dataclasses
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from functools import cached_property
from typing import Any

from tiktok_middleware._browser_rules import BrowserRule, browser_rules, read_rules
from tiktok_middleware._option_parsers import (
    boolean,
    bot_rules,
    bots,
    choice,
    consent,
    cookie_domain,
    endpoint,
    function,
    header_name,
    masked,
    outbox,
    path_globs,
    proxies,
    sink,
    some_of,
    text,
    url,
    whole,
    words,
)
from tiktok_middleware.errors import ConfigError, OptionError

__all__ = ["DEBUG_DEFAULTS", "MATCH_KEYS", "PREFIX", "TIKTOK_API_URL", "TIKTOK_PIXEL_URL", "Config"]

PREFIX = "TIKTOK_"
TIKTOK_API_URL = "https://business-api.tiktok.com/open_api/v1.3"
TIKTOK_PIXEL_URL = "https://analytics.tiktok.com/i18n/pixel/events.js"
_TIKTOK_HOSTS = re.compile(
    r"https?://([^/:@]+\.)?(tiktok|tiktokw|tiktokv|byteoversea)\.(com|us)\.?(?=[/:]|$)", re.IGNORECASE
)


class _Default(str):
    """Default value that was not set explicitly: equal to the same explicit value, but another object."""

    __slots__ = ()


_UNDECIDED = _Default("implied")

MATCH_KEYS = (
    *("email", "phone", "external_id", "first_name", "last_name", "city", "state", "country", "zip_code"),
    *("ip", "user_agent", "ttp", "ttclid"),
)
"""Keys of TikTok's ``user`` object by which it matches a visitor."""


def _option(default: Any, parse: Any, *, secret: bool = False) -> Any:
    return field(default=default, metadata={"parse": parse, "secret": secret}, repr=not secret)


_EVENT_SET = choice("", pattern=r"[A-Za-z0-9_-]{1,64}", hint="the id of an event set, such as 7654321098765432109")


@dataclass(frozen=True, kw_only=True)
class Config:
    """All options of the middleware, named as the environment variables without ``TIKTOK_``, lower-case.

    Values have the form of the environment variables (comma-separated texts, words, true or false); Python booleans and
    numbers are accepted too. The properties below the options return them parsed.

    Raises:
        ConfigError: a value is malformed; the message names the variable, the value (masked if it is secret) and what
            is allowed.
    """

    #: Pixel code(s), comma-separated. Empty: all responses pass untouched.
    pixel_id: str = _option("", words)
    #: Events API token(s) in the same order. Empty: browser channel only.
    access_token: str = _option("", words, secret=True)
    #: ``import:package.module:function``: returns which of these pixels serve a host, if not all of them do.
    pixel_by_host: str = _option("", function)
    #: TikTok's id of the offline event set, for ``source="offline"``.
    offline_id: str = _option("", _EVENT_SET)
    #: Its token. Empty: the first of ``access_token``.
    offline_token: str = _option("", text, secret=True)
    #: TikTok's id of the CRM event set, for ``source="crm"``.
    crm_id: str = _option("", _EVENT_SET)
    #: Its token. Empty: the first of ``access_token``.
    crm_token: str = _option("", text, secret=True)
    #: Keys that sign events, cookies and snapshots, newest first. Empty: derived from the token, else from the pixel.
    secret_key: str = _option("", words, secret=True)
    #: Sends server events to TikTok's Test Events view.
    test_event_code: str = _option("", text)
    #: ``production``, ``development``, ``staging`` or ``test``. Outside ``production`` nothing reaches TikTok's own
    #: hosts without a test code.
    environment: str = _option("production", choice("production", "development", "staging", "test"))
    #: ``false`` switches everything off: responses pass untouched.
    enabled: bool = _option(True, boolean)
    #: Raise on invalid input instead of logging it once.
    strict: bool = _option(False, boolean)
    #: Source of consent: ``implied``, ``required``, a consent platform such as ``onetrust``, ``cookie:NAME=VALUE``,
    #: ``import:package.module:function``, or ``bridge`` (``bridge:usercentrics``) if only the page can read the choice.
    consent: str = _option(_UNDECIDED, consent)
    #: What a consent platform's default counts as while the visitor has not chosen: ``unknown`` or ``granted``.
    consent_implied: str = _option("unknown", choice("unknown", "granted"))
    #: What ``Sec-GPC: 1`` means: ``deny`` (a refusal), ``limit`` (TikTok's limited data use) or ``ignore``.
    gpc: str = _option("deny", choice("deny", "limit", "ignore"))
    #: TikTok's limited data use flag, for every event on both channels.
    limited_data_use: bool = _option(False, boolean)
    #: Source of page views: ``browser`` (the pixel alone), ``matched`` (both channels, with one id) or ``off``.
    page_view: str = _option("browser", choice("browser", "matched", "off"))
    #: ``refresh`` keeps the pixel's ``_ttp`` alive from the server, ``mint`` also makes one, ``off`` neither.
    ttp: str = _option("refresh", choice("refresh", "mint", "off"))
    #: ``auto`` (the registrable domain), ``host`` (host-only cookies) or a domain.
    cookie_domain: str = _option("auto", cookie_domain)
    #: Number of proxies, or CIDRs, whose forwarding headers count.
    trusted_proxies: str = _option("0", proxies)
    #: Where trusted proxies write the visitor's address: ``x-forwarded-for``, ``forwarded`` (RFC 7239), or a header
    #: that holds it alone, such as ``cf-connecting-ip``.
    proxy_header: str = _option("x-forwarded-for", header_name)
    #: Path globs whose pages get no snippet and send no events.
    exclude: str = _option("", path_globs)
    #: ``pixel`` injects the base code, ``adopt`` lets the page view wait for another base code of the page, ``gtm``
    #: pushes events to Tag Manager's ``dataLayer`` without a base code, ``off`` leaves only the server channel.
    snippet: str = _option("pixel", choice("pixel", "adopt", "gtm", "off"))
    #: Names of events that a page may send by itself.
    browser_events: str = _option("", words)
    #: Which user agents are bots, for which nothing is sent from the server: ``auto`` (a public list of crawlers), and
    #: beside it rules such as ``auto,+MyShopApp,-AcmeMonitor``. Each is a regular expression that is searched in the
    #: user agent, in any case: ``+`` for people, ``-`` for bots. The first rule that matches decides. A rule may hold
    #: one repetition without a limit, such as ``.*``, so that no user agent can make it slow.
    bots: str = _option("auto", bots)
    #: Clicks, submits and inputs that are events: ``a[href^="tel:"] click Contact; form#lead submit Lead``.
    browser_rules: str = _option("", browser_rules)
    #: ISO 3166 region for national phone numbers.
    phone_region: str = _option("", choice("", pattern=r"[A-Z]{2}", hint="a two-letter region such as DE"))
    #: User data keys that we send: ``all``, ``none`` or some of ``email``, ``phone``,
    #: ``external_id``, ``first_name``, ``last_name``, ``city``, ``state``, ``country``, ``zip_code``, ``ip``,
    #: ``user_agent``, ``ttp`` and ``ttclid``. A browser that loads the pixel shows its own address and user agent.
    match_keys: str = _option("all", some_of(*MATCH_KEYS))
    #: Query keys kept in the page address on the server channel, beside ``ttclid`` and ``utm_*``.
    url_allow: str = _option("", words)
    #: Query keys always removed from the page address on the server channel.
    url_deny: str = _option("", words)
    #: The pixel's own automatic events (clicks, form scanning).
    auto_events: bool = _option(True, boolean)
    #: Page views on route changes: through the Navigation API, which leaves out addresses that hold identity; by the
    #: pixel's own observer in browsers without it.
    history_observer: bool = _option(True, boolean)
    #: ``nonce`` uses the page's own nonce, ``extend`` also adds TikTok's hosts to its policy, ``off`` does neither.
    csp: str = _option("nonce", choice("nonce", "extend", "off"))
    #: Path prefix of the helper script and of reports from pages.
    endpoint: str = _option("/_tiktok", endpoint)
    #: ``sqlite:///path``, ``sqlite:`` (in the user's state directory), ``postgresql://...`` (shared by all hosts),
    #: ``django:ALIAS`` (a PostgreSQL database of Django's, whose transactions the events join) or ``memory://``.
    outbox: str = _option("sqlite:", outbox)
    #: SQLite durability: ``normal`` survives a killed process, ``full`` a power cut.
    sync: str = _option("normal", choice("normal", "full"))
    #: Seconds that the server copy of a Purchase waits, so that ``client.cancel(once=)`` can still stop it.
    delay: int = _option(0, whole(86_400, "seconds"))
    #: Days that the ledger of delivered events is kept; it holds no identity. 0: no ledger.
    ledger_days: int = _option(400, whole(3650, "days"))
    #: Days that dead letters are kept.
    dead_letter_days: int = _option(90, whole(3650, "days"))
    #: ``send`` or ``hold`` browser copies of ``once`` events while the outbox with the claims does not answer.
    once_undecided: str = _option("send", choice("send", "hold"))
    #: ``background`` threads; ``request``: every event is sent before its response ends, and no thread remains; or
    #: ``relay``: events are only stored, and a ``tiktok-middleware relay`` process sends them.
    flush: str = _option("background", choice("background", "request", "relay"))
    #: ``direct``, ``celery``, or ``import:package.module:factory``.
    sink: str = _option("direct", sink)
    #: URL of the broker that the ``celery`` sink publishes to. Empty: the broker of the app's own Celery.
    celery_broker: str = _option("", text, secret=True)
    #: Base URL of the Events API.
    api_url: str = _option(TIKTOK_API_URL, url)
    #: Address of the pixel script.
    pixel_url: str = _option(TIKTOK_PIXEL_URL, url)
    #: Let pages load TikTok's own script outside production.
    browser_in_test: bool = _option(False, boolean)

    def __post_init__(self) -> None:
        for option in dataclasses.fields(self):
            value = getattr(self, option.name)
            if value is not _UNDECIDED:
                object.__setattr__(self, option.name, _parse(option, value))
        if len(set(self.pixels)) < len(self.pixels):
            raise ConfigError("TIKTOK_PIXEL_ID", self.pixel_id, "each pixel id once: its events would count twice")
        if self.snippet in {"adopt", "gtm"} and self.page_view == "matched":
            counter = "Tag Manager" if self.snippet == "gtm" else "the page's other base code"
            allowed = f"browser or off while TIKTOK_SNIPPET={self.snippet}: {counter} counts the page views"
            raise ConfigError("TIKTOK_PAGE_VIEW", self.page_view, allowed)
        if len(self.tokens) not in {0, 1, len(self.pixels)}:
            found = f"{len(self.tokens)} tokens for {len(self.pixels)} pixels"
            raise ConfigError(
                "TIKTOK_ACCESS_TOKEN", found, "one token for all, or one for each pixel id in the same order"
            )
        if self.test_event_code and self.environment == "production" and self.is_tiktok_api:
            raise ConfigError(
                "TIKTOK_TEST_EVENT_CODE",
                "set",
                "nothing while TIKTOK_ENVIRONMENT=production: test events would hide sales",
            )

    @classmethod
    def from_env(
        cls, environ: Mapping[str, str] | None = None, *, defaults: Mapping[str, Any] | None = None, **overrides: Any
    ) -> Config:
        """Return the configuration of this process.

        Args:
            environ: variables to read instead of ``os.environ``.
            defaults: options that the variables outrank, such as those that a framework's debug mode implies.
            overrides: options that outrank the variables, such as a framework's settings; None is ignored. A name may
                be written like its variable: ``CONSENT`` and ``TIKTOK_CONSENT`` are ``consent``.

        Raises:
            ConfigError: a variable is malformed.
            OptionError: an override is not an option.
        """
        source = os.environ if environ is None else environ
        known = {option.name for option in dataclasses.fields(cls)}
        given: dict[str, Any] = {}
        for name, value in overrides.items():
            option = name.lower().removeprefix(PREFIX.lower())
            if option not in known:
                raise OptionError(name, known)
            if value is not None:
                given[option] = value
        values: dict[str, Any] = {
            name: source[PREFIX + name.upper()] for name in known if source.get(PREFIX + name.upper(), "").strip()
        }
        return cls(**{**(defaults or {}), **values, **given})

    @classmethod
    def strangers(cls, environ: Mapping[str, str] | None = None) -> dict[str, str]:
        """Return unknown variables with our prefix, each with the most similar option name; empty without one.

        A name in lower case, or with a prefix such as ``TIK_TOK_`` or ``TIKTOK``, is unknown too.
        """
        known = [PREFIX + option.name.upper() for option in dataclasses.fields(cls)]
        source = os.environ if environ is None else environ
        meant = {name: name.upper().replace("TIK_TOK", "TIKTOK") for name in source if name not in known}
        unknown = sorted(name for name, word in meant.items() if word.startswith(PREFIX.rstrip("_")))
        return {name: next(iter(get_close_matches(meant[name], known, 1)), "") for name in unknown}

    @cached_property
    def pixels(self) -> tuple[str, ...]:
        """The pixel codes."""
        return tuple(self.pixel_id.split(",")) if self.pixel_id else ()

    @cached_property
    def rules(self) -> tuple[BrowserRule, ...]:
        """The rules of ``browser_rules``."""
        return read_rules(self.browser_rules)

    @property
    def tokens(self) -> tuple[str, ...]:
        """The Events API tokens, as given."""
        return tuple(self.access_token.split(",")) if self.access_token else ()

    @property
    def token_by_pixel(self) -> dict[str, str]:
        """The token of each pixel and event set that has one."""
        tokens = self.tokens * len(self.pixels) if len(self.tokens) == 1 else self.tokens
        found = dict(zip(self.pixels, tokens, strict=False))
        for set_id, own in ((self.offline_id, self.offline_token), (self.crm_id, self.crm_token)):
            token = own or next(iter(self.tokens), "")
            if set_id and token:
                found.setdefault(set_id, token)
        return found

    @cached_property
    def allowed_match_keys(self) -> frozenset[str]:
        """The keys of TikTok's ``user`` object that may leave."""
        if self.match_keys == "all":
            return frozenset(MATCH_KEYS)
        return frozenset(self.match_keys.split(",")) - {"none"}

    @property
    def bot_rules(self) -> tuple[str, ...]:
        """The rules that outrank the list of crawlers, in order, each with its sign."""
        return bot_rules(self.bots)

    def targets(self, source: str) -> tuple[str, ...]:
        """Return TikTok's ``event_source_id`` values for an ``event_source``: ``web``, ``offline`` or ``crm``."""
        sets = {"offline": self.offline_id, "crm": self.crm_id}
        return self.pixels if source == "web" else tuple(filter(None, (sets[source],)))

    def with_pixels(self, pixels: tuple[str, ...]) -> Config:
        """Return these options for some of the pixels, with the tokens of these pixels."""
        tokens = self.tokens
        if len(tokens) > 1:
            by_pixel = dict(zip(self.pixels, tokens, strict=True))
            tokens = tuple(by_pixel[pixel] for pixel in pixels)
        return dataclasses.replace(self, pixel_id=",".join(pixels), access_token=",".join(tokens))

    @property
    def off_reason(self) -> str:
        """Why the middleware does nothing; empty when it is on."""
        if self.pixel_id:
            return "" if self.enabled else "disabled"
        return "no_pixel_for_host" if self.pixel_by_host else "no_pixel"

    @property
    def is_on(self) -> bool:
        """Whether the middleware does anything: it is enabled and has a pixel."""
        return self.enabled and bool(self.pixel_id)

    @property
    def is_consent_decided(self) -> bool:
        """Whether ``TIKTOK_CONSENT`` was set; otherwise its default applies."""
        return self.consent is not _UNDECIDED

    @cached_property
    def is_tiktok_api(self) -> bool:
        """Whether server events would reach TikTok's own hosts."""
        return _TIKTOK_HOSTS.match(self.api_url) is not None

    @cached_property
    def server_reason(self) -> str:
        """Why no server copy of a page's event may be sent; empty when it may."""
        return self.source_reason("web")

    def source_reason(self, source: str) -> str:
        """Return the same for any ``event_source``."""
        targets = self.targets(source)
        if not targets and source != "web":
            return f"no_{source}_id"
        if not (self.tokens if source == "web" else self.token_by_pixel.get(targets[0])):
            return "no_token"
        if self.environment != "production" and self.is_tiktok_api and not self.test_event_code:
            return "not_production"
        return ""

    @cached_property
    def browser_reason(self) -> str:
        """Why no browser copy may be sent; empty when it may."""
        if self.snippet == "off":
            return "snippet_off"
        if self.environment != "production" and _TIKTOK_HOSTS.match(self.pixel_url) and not self.browser_in_test:
            return "not_production"
        return ""


def _parse(option: dataclasses.Field[Any], value: Any) -> Any:
    try:
        return option.metadata["parse"](value)
    except ValueError as error:
        raise ConfigError(PREFIX + option.name.upper(), _shown(option, value), str(error)) from None


def _shown(option: dataclasses.Field[Any], value: Any) -> Any:
    """Return a value in a form that errors may print: secrets are masked, also passwords in URLs."""
    if value is None or isinstance(value, bool):
        return value
    if option.metadata["secret"]:
        return masked(value if isinstance(value, str) else str(value))
    return re.sub(r"//[^/\s]*@", "//...@", value) if isinstance(value, str) else value


#: Defaults in a framework's debug mode, which variables outrank.
DEBUG_DEFAULTS: Mapping[str, Any] = {"environment": "development", "strict": True}
