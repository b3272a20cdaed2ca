"""A small shop behind both doors, visited at a steady pace, and what each of its visitors waited."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from itertools import count

from tests.contract.adapters import HTML, PAGE, Request, Response, WsgiServer, asgi_app, asgi_scope, list_app
from tests.delivery.delivery_world import PIXEL
from tiktok_middleware import Client, Config
from tiktok_middleware._asgi_response import Message
from tiktok_middleware.asgi import TikTokMiddleware as AsgiMiddleware
from tiktok_middleware.delivery.delivery import DeliveryOptions
from tiktok_middleware.delivery.sender.events_api import EventsApi
from tiktok_middleware.wsgi import TikTokMiddleware as WsgiMiddleware

__all__ = ["HASTE_S", "Shop", "hasty_sink"]

HASTE_S = 1.0


def hasty_sink(options: DeliveryOptions) -> EventsApi:
    """The sink as it is, which gives up after a second: what hangs is cut off by its own watchdog."""
    return EventsApi(options.api_url, options.tokens, deadline_s=HASTE_S)


class Shop:
    """One client behind an ASGI and a WSGI door in turn; each visit is a page, or an empty redirect, with one purchase.

    Args:
        api_url: where its events go.
        outbox: address of its outbox.
        sink: as the option.
    """

    def __init__(self, api_url: str, outbox: str, sink: str = "import:tests.delivery.outage_world:hasty_sink") -> None:
        config = Config(pixel_id=PIXEL, access_token="t", api_url=api_url, outbox=outbox, sink=sink)
        self.client = Client(config)
        self.orders: list[str] = []
        self._numbers = count()
        self._loop = asyncio.new_event_loop()
        self._visits: list[Callable[[Response], None]] = [self._visit_asgi, self._visit_wsgi]

    def visit(self) -> float:
        """Seconds that one visitor waited for a whole answer."""
        number = next(self._numbers)
        order = f"order-{number}"
        events = (("Purchase", {"order_id": order, "value": 24.0, "currency": "EUR"}),)
        if number % 4 < 2:
            response = Response(headers=(HTML,), pieces=(PAGE,), events=events)
        else:
            response = Response(303, (("Location", "/thanks"),), (b"",), events, has_length=True)
        begin = time.perf_counter()
        self._visits[number % 2](response)
        self.orders.append(order)
        return time.perf_counter() - begin

    def close(self) -> None:
        """Let go of everything."""
        self.client.close(5)
        self._loop.close()

    def _visit_wsgi(self, response: Response) -> None:
        seen = WsgiServer().serve(WsgiMiddleware(list_app(response), self.client), Request())
        assert seen.status == response.status

    def _visit_asgi(self, response: Response) -> None:
        sent: list[Message] = []

        async def send(message: Message) -> None:
            sent.append(message)

        async def receive() -> Message:
            return {"type": "http.request", "body": b"", "more_body": False}

        app = AsgiMiddleware(asgi_app(response), self.client)
        self._loop.run_until_complete(app(asgi_scope(Request()), receive, send))
        assert sent[0]["status"] == response.status
        assert not sent[-1].get("more_body", False)
