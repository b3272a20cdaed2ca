"""A shop in a process of its own, which takes orders until it is killed: ``python -m tests.transactions.orders_host``.

Each order ends at random: committed, rolled back, with an exception before or after the commit, or in a second try.
"""

from __future__ import annotations

import asyncio
import os
import random
import sys
import time
from collections.abc import Callable
from typing import Any

import asyncpg

from tests.transactions.asgi_visit import visit as visit_asgi
from tests.transactions.databases import database
from tests.transactions.shop import Answer, visit
from tiktok_middleware import Client, Config

OUTCOMES = ("commit", "commit", "rollback", "raise before", "raise after", "retry", "late")
WAITS = (0.0, 0.0, 0.0, 0.005)


class RefusedError(Exception):
    """The app's own error."""


def make_client(outbox: str, api: str) -> Client:
    return Client(
        Config(
            pixel_id="C0000000000000000001",
            access_token="t",
            secret_key="the-same-on-all-hosts-as-in-any-deployment",
            outbox=outbox,
            api_url=api,
            consent="implied",
            browser_in_test=True,
        )
    )


class SyncShop:
    """Orders over one connection, in views under WSGI."""

    def __init__(self, client: Client, app: Any) -> None:
        self._client = client
        self._app = app

    def order(self, number: str, outcome: str) -> Answer | None:
        app = self._app

        def view(tracker: Any) -> None:
            if outcome == "retry":
                self._insert(tracker, number)
                app.rollback()
            self._insert(tracker, number)
            time.sleep(random.choice(WAITS))
            if outcome == "raise before":
                app.rollback()
                raise RefusedError
            if outcome == "rollback":
                app.rollback()
            elif outcome != "late":
                app.commit()
            time.sleep(random.choice(WAITS))
            if outcome == "raise after":
                raise RefusedError

        try:
            answer = visit(self._client, view)
        except RefusedError:
            return None
        if outcome == "late":
            app.commit()
        return answer

    def _insert(self, tracker: Any, number: str) -> None:
        self._app.execute(f"INSERT INTO orders VALUES ('{number}')")
        tracker.track("Purchase", order_id=number, value=5, currency="EUR", connection=self._app.given)


class AsyncpgShop:
    """Orders over asyncpg, in views under ASGI."""

    def __init__(self, client: Client, connection: Any, loop: asyncio.AbstractEventLoop) -> None:
        self._client = client
        self._connection = connection
        self._loop = loop

    def order(self, number: str, outcome: str) -> Answer | None:
        return self._loop.run_until_complete(self._order(number, outcome))

    async def _order(self, number: str, outcome: str) -> Answer | None:
        transaction = self._connection.transaction()

        async def view(track: Callable[..., Any]) -> None:
            nonlocal transaction
            await transaction.start()
            if outcome == "retry":
                await self._insert(track, number)
                await transaction.rollback()
                transaction = self._connection.transaction()
                await transaction.start()
            await self._insert(track, number)
            await asyncio.sleep(random.choice(WAITS))
            if outcome == "raise before":
                await transaction.rollback()
                raise RefusedError
            if outcome == "rollback":
                await transaction.rollback()
            elif outcome != "late":
                await transaction.commit()
            if outcome == "raise after":
                raise RefusedError

        try:
            answer = await visit_asgi(self._client, view)
        except RefusedError:
            return None
        if outcome == "late":
            await transaction.commit()
        return answer

    async def _insert(self, track: Callable[..., Any], number: str) -> None:
        await self._connection.execute("INSERT INTO orders VALUES ($1)", number)
        event = track("Purchase", order_id=number, value=5, currency="EUR")
        sql, parameters = self._client.insert_statement(event)
        await self._connection.execute(sql, *parameters)


def main(kind: str, outbox: str, api: str, first: int, last: int) -> None:
    client = make_client(outbox, api)
    url = outbox.partition("?")[0]
    if kind == "asyncpg":
        loop = asyncio.new_event_loop()
        take_all(AsyncpgShop(client, loop.run_until_complete(asyncpg.connect(url)), loop), first, last)
    else:
        with database(url, kind) as app:
            take_all(SyncShop(client, app), first, last)
    client.close(10)
    os.write(1, b"done\n")


def take_all(shop: Any, first: int, last: int) -> None:
    for number in range(first, last):
        outcome = random.choice(OUTCOMES)
        answer = shop.order(f"order-{number}", outcome)
        copies = len(answer.copies) if answer is not None else 0
        if copies and outcome in {"rollback", "late"}:
            os.write(1, f"a browser copy left before the commit of order-{number}\n".encode())
        os.write(1, f"{number}\n".encode())


if __name__ == "__main__":
    main(*sys.argv[1:4], *map(int, sys.argv[4:]))  # type: ignore[arg-type]
