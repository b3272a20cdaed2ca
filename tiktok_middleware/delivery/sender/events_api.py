"""Sink over HTTPS to TikTok's Events API. Only this file imports httpx, at the first send."""

from __future__ import annotations

import contextlib
import ipaddress
import logging
import socket
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from tiktok_middleware.core.events.event import Record
from tiktok_middleware.core.events_api.answers import Halted, Retry, Verdict, read_answer
from tiktok_middleware.core.events_api.requests import encode_request
from tiktok_middleware.delivery.process.stopping import STOP

if TYPE_CHECKING:
    import httpx

__all__ = ["EventsApi"]

_CONNECT_S = 5.0
_READ_S = 10.0  # between two bytes of an answer
_ANSWER_BYTES = 64 * 1024  # TikTok's answers have a few hundred
_HEADERS = frozenset(
    {b"host", b"accept", b"accept-encoding", b"connection", b"user-agent", b"content-type", b"content-length"}
    | {b"access-token", b"proxy-authorization"}
)

#: Whether this thread uses our connection now. httpx logs each request; our requests must not fill the app's log.
_posting: ContextVar[bool] = ContextVar("tiktok_middleware_posting", default=False)


class EventsApi:
    """Posts each batch in one request to ``{api_url}/event/track/``, over a connection that is kept open.

    It uses the proxies of the environment, since some servers reach TikTok only through one. It uses none for a
    loopback address, since a proxy cannot reach this host's loopback. It follows no redirects: the token must be sent
    to the configured host only.

    Args:
        api_url: base URL, such as ``https://business-api.tiktok.com/open_api/v1.3``.
        tokens: access token of each pixel; they appear in no log and no reason.
        test_event_code: if set, the events appear under Test Events.
        deadline_s: limit of a whole request in seconds, however slowly the answer arrives; less while the process ends.
        keep_s: seconds that an idle connection is kept.
        clock: returns Unix seconds, for ``Retry-After`` dates.
    """

    def __init__(
        self,
        api_url: str,
        tokens: Mapping[str, str],
        test_event_code: str | None = None,
        *,
        deadline_s: float = 15.0,
        keep_s: float = 60.0,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._url = api_url.rstrip("/") + "/event/track/"  # without the last slash TikTok answers 404
        self._tokens = dict(tokens)
        self._test_event_code = test_event_code
        self._deadline_s = deadline_s
        self._keep_s = keep_s
        self._clock = clock
        self._client: httpx.Client | None = None
        self._stream: Any = None

    def send(self, batch: Sequence[Record]) -> list[Verdict]:
        """Return the verdict on the whole request, once for each record."""
        pixel, source = batch[0].pixel, batch[0].source
        token = self._tokens.get(pixel)
        if token is None:
            return [Halted("no access token is configured for it")] * len(batch)
        if not token.isascii() or not token.isprintable() or token != token.strip():
            return [Halted("its access token holds what no header may hold")] * len(batch)
        body = encode_request(pixel, source, [record.body for record in batch], self._test_event_code)
        return [self._post(body, token)] * len(batch)

    def close(self) -> None:
        """Close the connection."""
        if self._client is not None:
            mark = _posting.set(True)
            self._client.close()
            _posting.reset(mark)
            self._client = None

    def _post(self, body: bytes, token: str) -> Verdict:
        import httpx  # noqa: PLC0415 - takes a tenth of a second, which must not delay the start or a request

        mark = _posting.set(True)
        limit_s = STOP.request_s(self._deadline_s)
        watchdog = threading.Timer(limit_s, self._cut)
        watchdog.daemon = True
        with contextlib.suppress(RuntimeError):  # at exit no thread can start; `close` then has its own deadline
            watchdog.start()
        try:
            client = self._client = self._client or _open(self._url, self._keep_s)
            with client.stream(
                "POST",
                self._url,
                content=body,
                headers={"Access-Token": token},
                timeout=httpx.Timeout(min(_READ_S, limit_s), connect=min(_CONNECT_S, limit_s)),
                extensions={"trace": self._trace},
            ) as response:
                answer = _read(response).replace(token.encode("ascii"), b"...")  # its message is logged and stored
                return read_answer(response.status_code, answer, response.headers.get("retry-after"), self._clock())
        # The messages of these errors may quote headers, and so the token. Use the type's name only.
        except (httpx.InvalidURL, httpx.UnsupportedProtocol, ValueError) as error:
            return Halted(f"the Events API's address is malformed ({type(error).__name__})")
        except (httpx.HTTPError, OSError) as error:
            return Retry(None, type(error).__name__)
        finally:
            watchdog.cancel()
            _posting.reset(mark)

    def _trace(self, event: str, info: Mapping[str, Any]) -> None:
        """Store the request's network stream, so that `_cut` can end it."""
        if event.endswith(("connect_tcp.complete", "start_tls.complete")):
            self._stream = info["return_value"]

    def _cut(self) -> None:
        """End a request that takes too long. Runs on the watchdog's thread; only this wakes a blocked read."""
        stream = self._stream
        wire = stream and stream.get_extra_info("socket")
        if wire is not None:
            with contextlib.suppress(OSError):
                socket.socket.shutdown(wire, socket.SHUT_RDWR)


def _open(url: str, keep_s: float) -> httpx.Client:
    import httpx  # noqa: PLC0415 - as above

    client = httpx.Client(
        limits=httpx.Limits(max_connections=1, keepalive_expiry=keep_s),
        trust_env=not _is_loopback(url),
        headers={"Content-Type": "application/json", "User-Agent": "tiktok-middleware", "Accept-Encoding": "identity"},
    )
    # Tracing libraries patch httpx and add headers to every request of the process. The pool is below that layer.
    for transport in filter(None, (client._transport, *client._mounts.values())):  # noqa: SLF001  # there is no public way
        transport._pool = _OwnHeaders(transport._pool)  # type: ignore[attr-defined]  # noqa: SLF001
    _keep_out_of_log()
    return client


class _OwnHeaders:
    """Connection pool that sends our headers only, so that TikTok does not receive the app's trace ids."""

    def __init__(self, pool: Any) -> None:
        self._pool = pool

    def __getattr__(self, name: str) -> Any:
        return getattr(self._pool, name)

    def handle_request(self, request: Any) -> Any:
        request.headers = [(name, value) for name, value in request.headers if name.lower() in _HEADERS]
        return self._pool.handle_request(request)


def _keep_out_of_log() -> None:
    """Drop the log lines of httpx and httpcore about our posts; keep those about the app's requests."""
    for name in ("httpx", "httpcore.connection", "httpcore.http11", "httpcore.proxy"):
        logger = logging.getLogger(name)
        if _is_not_ours not in logger.filters:
            logger.addFilter(_is_not_ours)


def _is_not_ours(_: logging.LogRecord) -> bool:
    return not _posting.get()


def _is_loopback(url: str) -> bool:
    host = urlsplit(url).hostname or ""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


def _read(response: httpx.Response) -> bytes:
    """Return the first `_ANSWER_BYTES` bytes of the answer; TikTok's own answers are never longer."""
    parts: list[bytes] = []
    size = 0
    for part in response.iter_raw():
        parts.append(part)
        size += len(part)
        if size > _ANSWER_BYTES:
            break
    return b"".join(parts)[:_ANSWER_BYTES]
