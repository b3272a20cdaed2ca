"""Configuration, signer and delivery put together, once per process; it knows no door and no framework."""

from __future__ import annotations

import contextlib
import logging
import os
import re
import sys
import time
from collections.abc import Callable, Iterable, Mapping, MutableMapping
from concurrent.futures import Future
from functools import lru_cache
from importlib import import_module
from typing import Any

from tiktok_middleware.config import DEBUG_DEFAULTS, Config
from tiktok_middleware.core.consent import make_reader
from tiktok_middleware.core.context import KEY
from tiktok_middleware.core.endpoint import Answer, answer
from tiktok_middleware.core.event import Claim
from tiktok_middleware.core.exchange import Commit, Exchange, Forward, Step
from tiktok_middleware.core.facts import RequestFacts
from tiktok_middleware.core.setup import Setup, make_setup
from tiktok_middleware.core.signing import Signer, derive_key
from tiktok_middleware.core.state import State
from tiktok_middleware.core.tracker import Pending
from tiktok_middleware.delivery import Delivery, DeliveryOptions, open_delivery
from tiktok_middleware.delivery.location import outbox_url
from tiktok_middleware.errors import ConfigError
from tiktok_middleware.notices import Log

__all__ = ["COMMIT_WAIT_S", "Client", "is_in_event_loop"]

log = logging.getLogger("tiktok_middleware")

#: How long a response waits for its events to be on disk, in seconds; past that it goes and they stay in memory.
COMMIT_WAIT_S = 0.25


class Client:
    """One configuration at work: exchanges for the doors, and the delivery behind them.

    Args:
        config: the options; those of the environment where it is not given.
        secret_keys: a framework's own signing keys, newest first, used where ``TIKTOK_SECRET_KEY`` is not set.
        clock: Unix seconds.

    Raises:
        ConfigError: an option is malformed.
    """

    def __init__(
        self,
        config: Config | None = None,
        *,
        secret_keys: Iterable[str] = (),
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.config = config if config is not None else Config.from_env()
        self._log = Log()
        self.setup: Setup = make_setup(
            self.config,
            signer=Signer(_signing_keys(self.config, tuple(secret_keys)), clock),
            reader=make_reader(
                self.config.consent,
                implied=State(self.config.consent_implied),
                failed=lambda error: self._log.failure("consent", error),
            ),
            pixel_js=_browser_file("pixel.js"),
            helper_js=_browser_file("helper.js"),
            registrable_domain=_registrable_domain if self.config.is_on else _no_domain,
            clock=clock,
            random_bytes=os.urandom,
            notices=self._log,
        )
        self.delivery: Delivery = open_delivery(_delivery_options(self.config), clock=clock)
        _announce(self.config)

    @classmethod
    def from_env(
        cls,
        environ: Mapping[str, str] | None = None,
        *,
        secret_keys: Iterable[str] = (),
        is_debug: bool = False,
        **overrides: Any,
    ) -> Client:
        """The client that the environment describes.

        Args:
            environ: variables to read instead of ``os.environ``.
            secret_keys: as above.
            is_debug: whether the framework runs in its debug mode.
            overrides: options that outrank the variables.

        Raises:
            ConfigError: a variable is malformed.
        """
        config = Config.from_env(environ, defaults=DEBUG_DEFAULTS if is_debug else None, **overrides)
        return cls(config, secret_keys=secret_keys)

    def start(self) -> None:
        """Send what an earlier process left behind; needs not be called, the first event does the same."""
        if self.config.is_on:
            with self._guard("start"):
                self.delivery.wake()

    def read(self, kind: type[RequestFacts], raw: MutableMapping[str, Any]) -> RequestFacts | None:
        """What a request says of itself; None where we fail to read it.

        Args:
            kind: for an ASGI scope or a WSGI environ.
            raw: the scope or environ.
        """
        try:
            return kind(raw, self.setup.proxies)
        except Exception as error:  # noqa: BLE001  # nothing of ours reaches the app
            self._log.failure("facts", error)
            return None

    def begin(self, facts: RequestFacts | None) -> Exchange | None:
        """The story of one request, its tracker told to the raw request.

        None where there is nothing to tell: another door of this client already does, or we fail at the very start.
        """
        if facts is None:
            return None
        try:
            outer = facts.raw.get(KEY)
            if outer is not None and outer.setup is self.setup:
                return None
            exchange = self.exchange(facts)
            facts.raw[KEY] = exchange.tracker
        except Exception as error:  # noqa: BLE001  # nothing of ours reaches the app
            self._log.failure("request", error)
            return None
        return exchange

    def exchange(self, facts: RequestFacts) -> Exchange:
        """The exchange of one request, known to nobody yet."""
        return Exchange(facts, self.setup)

    def carry_out(self, exchange: Exchange, step: Step) -> Forward | None:
        """What is to be sent, once what a step wants stored is stored."""
        if not isinstance(step, Commit):
            return step
        try:
            claims = self.wait(self.submit(step))
        except Exception as error:  # noqa: BLE001  # as above
            self._log.failure("commit", error)
            return exchange.failed()
        return _sendable(exchange.committed(claims))

    async def carry_out_async(self, exchange: Exchange, step: Step) -> Forward | None:
        """The same on an event loop."""
        if not isinstance(step, Commit):
            return step
        try:
            claims = await self.wait_async(self.submit(step))
        except Exception as error:  # noqa: BLE001  # as above
            self._log.failure("commit", error)
            return exchange.failed()
        return _sendable(exchange.committed(claims))

    def end(self, exchange: Exchange) -> None:
        """The response has ended: what was tracked since goes by the server, and so does what comes later."""
        commit = exchange.finish(self.late(exchange))
        if isinstance(commit, Commit):
            try:
                self.submit(commit)
            except Exception as error:  # noqa: BLE001  # as above
                self._log.failure("submit", error)

    def answer(self, facts: RequestFacts | None) -> Answer | None:
        """Our own response to a request of our path prefix, None for the app's requests."""
        try:
            return answer(facts, self.setup) if facts is not None else None
        except Exception as error:  # noqa: BLE001  # nothing of ours reaches the app
            self._log.failure("endpoint", error)
            return None

    def submit(self, commit: Commit) -> Future[list[Claim]]:
        """The claims, once the events are stored."""
        return self.delivery.submit(commit.submissions)

    def wait(self, future: Future[list[Claim]]) -> list[Claim] | None:
        """The claims, or None when storing takes longer than a response may wait."""
        try:
            return future.result(COMMIT_WAIT_S)
        except Exception as error:  # noqa: BLE001  # a slow or failing disk must not fail the response
            self._undurable(error)
            return None

    async def wait_async(self, future: Future[list[Claim]]) -> list[Claim] | None:
        """The same on an event loop, asyncio's or trio's, without blocking it."""
        try:
            if not future.done():
                await (_wait_asyncio(future) if _is_asyncio() else _wait_trio(future))
            return future.result(0)
        except Exception as error:  # noqa: BLE001  # as above
            self._undurable(error)
            return None

    def late(self, exchange: Exchange) -> Callable[[Pending], None]:
        """What takes events that are tracked after their response has ended."""

        def take(pending: Pending) -> None:
            submission = exchange.submission_of(pending)
            if submission is not None:
                self.delivery.submit((submission,))

        return take

    def flush(self, timeout_s: float = 10.0) -> bool:
        """Whether everything accepted so far is delivered, or dead, within the time."""
        return self.delivery.flush(timeout_s)

    def close(self, timeout_s: float = 5.0) -> bool:
        """Commit everything, send what can be sent within the time; the rest waits on disk."""
        return self.delivery.close(timeout_s)

    def stats(self) -> dict[str, Any]:
        """Counts of this process: what was tracked, and lost by which reason; with the delivery's own."""
        return {**self.delivery.stats(), "counts": dict(self._log.counts)}

    def _undurable(self, error: Exception) -> None:
        self._log.count("undurable")
        self._log.once("undurable", f"an event was not on disk in time ({type(error).__name__}); it waits in memory")

    @contextlib.contextmanager
    def _guard(self, part: str) -> Any:
        try:
            yield
        except Exception as error:  # noqa: BLE001  # nothing of ours reaches the app
            self._log.failure(part, error)


def _is_asyncio() -> bool:
    """Whether an asyncio loop runs here. It is asked first: another thread may be in the middle of importing trio."""
    asyncio = sys.modules.get("asyncio")
    return asyncio is not None and asyncio._get_running_loop() is not None  # noqa: SLF001  # documented for such use


def is_in_event_loop() -> bool:
    """Whether this code runs on an event loop, asyncio's or trio's."""
    if _is_asyncio():
        return True
    trio = sys.modules.get("trio")
    return trio is not None and hasattr(trio, "lowlevel") and bool(trio.lowlevel.in_trio_run())


def _sendable(step: Step) -> Forward | None:
    return step if isinstance(step, Forward) else None


async def _wait_asyncio(future: Future[list[Claim]]) -> None:
    import asyncio  # noqa: PLC0415  # not every server brings it

    await asyncio.wait([asyncio.wrap_future(future)], timeout=COMMIT_WAIT_S)


async def _wait_trio(future: Future[list[Claim]]) -> None:
    import trio  # noqa: PLC0415  # what runs this coroutine, if asyncio does not

    done, token = trio.Event(), trio.lowlevel.current_trio_token()

    def tell(_: object) -> None:
        with contextlib.suppress(trio.RunFinishedError):  # the disk was slower than the server's end
            token.run_sync_soon(done.set)

    future.add_done_callback(tell)
    with trio.move_on_after(COMMIT_WAIT_S):
        await done.wait()


def _signing_keys(config: Config, framework_keys: tuple[str, ...]) -> list[str]:
    if config.secret_key:
        return config.secret_key.split(",")
    if framework_keys:
        return [derive_key(key) for key in framework_keys]
    # Without a token there is no server copy that a forged cookie could cause.
    return [derive_key(config.access_token or config.pixel_id)]


def _browser_file(name: str) -> str:
    from importlib import resources  # noqa: PLC0415  # 8 ms of imports that importing a door need not pay

    return resources.files("tiktok_middleware.browser").joinpath(name).read_text("utf-8")


def _no_domain(_: str) -> str:
    return ""


@lru_cache(maxsize=1)
def _suffix_list() -> Any:
    from publicsuffixlist import PublicSuffixList  # noqa: PLC0415  # 9,000 rules: read when the first cookie is due

    return PublicSuffixList()


@lru_cache(maxsize=1024)
def _registrable_domain(hostname: str) -> str:
    """The domain that one owner holds, such as ``shop.co.uk``; empty for addresses and single labels."""
    # With a dot at its end a name is another host to cookies: none but a host-only cookie comes back to it.
    if "." not in hostname or ":" in hostname or re.fullmatch(r"[\d.]+", hostname) or "" in hostname.split("."):
        return ""
    domain = _suffix_list().privatesuffix(hostname) or ""
    return "" if domain.startswith("-") else domain  # no label begins so: browsers would refuse the cookie


def _delivery_options(config: Config) -> DeliveryOptions:
    return DeliveryOptions(
        outbox=outbox_url(config) if config.is_on else "memory://",
        sync=config.sync,
        api_url=config.api_url,
        tokens={} if config.server_reason else config.token_by_pixel,
        test_event_code=config.test_event_code or None,
        sink=_sink(config),
    )


def _sink(config: Config) -> Any:
    """``direct``, or what makes the sink."""
    if config.sink == "direct":
        return "direct"
    if config.sink != "celery":
        return _imported(config.sink)
    try:
        from tiktok_middleware.delivery.celery import sink_factory  # noqa: PLC0415  # an extra
    except ImportError as error:
        allowed = f'celery with its extra: pip install "tiktok-middleware[celery]" ({error})'
        raise ConfigError("TIKTOK_SINK", "celery", allowed) from error
    return sink_factory(config.celery_broker)


def _imported(setting: str) -> Any:
    _, module, name = setting.split(":")
    try:
        found: Any = import_module(module)
        for part in name.split("."):
            found = getattr(found, part)
    except (ImportError, AttributeError) as error:
        raise ConfigError("TIKTOK_SINK", setting, f"a factory that can be imported ({error})") from error
    if not callable(found):
        raise ConfigError("TIKTOK_SINK", setting, "a factory: a function that makes a sink")
    return found


_said: set[str] = set()


def _announce(config: Config) -> None:
    """What an operator must see at start."""
    for name, nearest in Config.strangers().items():
        if nearest and name not in _said:
            _said.add(name)
            log.warning("%s is no option; did you mean %s?", name, nearest)
    if not config.is_on:
        why = "TIKTOK_ENABLED is false" if config.pixel_id else "TIKTOK_PIXEL_ID is not set"
        if why not in _said:
            _said.add(why)
            log.info("%s: responses pass untouched and nothing is tracked", why)
        return
    if config.test_event_code:
        log.warning("TIKTOK_TEST_EVENT_CODE is set: server events go to Test Events and count for nothing")
    for reason, what in ((config.server_reason, "server"), (config.browser_reason, "browser")):
        if reason == "not_production":
            log.warning("TIKTOK_ENVIRONMENT=%s: no %s event goes to TikTok's own hosts", config.environment, what)
    for pixel in config.pixels:
        if not re.fullmatch(r"[A-Z0-9]{20}", pixel):
            log.warning("pixel id %s is not 20 upper-case letters and digits, as TikTok's are", pixel)
