"""Shops that take one order after another, each over one connection of a kind."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable
from typing import Any

from tests.transactions.asgi_visit import visit as visit_asgi
from tests.transactions.shop import Answer, fetch, visit
from tiktok_middleware import Client

OUTCOMES = (*("commit", "commit", "rollback", "raise before", "raise after", "retry", "nested", "late", "twice"),)
WAITS = (0.0, 0.0, 0.0, 0.005)


class RefusedError(Exception):
    """The app's own error."""


def copies_of(answer: Answer) -> list[str]:
    """Return the orders whose browser copies are in a page."""
    return [copy[1]["order_id"] for copy in answer.copies]


def thank(track: Callable[..., Any], number: str) -> None:
    """Track an order once more, on the page after it."""
    track("Purchase", order_id=number, value=5, currency="EUR")


class SyncShop:
    """Orders over one connection, in views under WSGI."""

    def __init__(self, client: Client, app: Any) -> None:
        self._client = client
        self._app = app

    def order(self, number: str, outcome: str) -> list[str]:
        """Take an order; return the orders whose browser copies left."""
        app = self._app

        def view(tracker: Any) -> None:
            if outcome == "retry":
                self._insert(tracker, number)
                app.rollback()
            self._insert(tracker, number)
            if outcome == "nested":
                app.execute("SAVEPOINT part")
                self._insert(tracker, f"{number}-part")
                app.execute("ROLLBACK TO SAVEPOINT part")
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
            return []
        if outcome == "late":
            app.commit()
            return copies_of(answer) + [copy[1]["order_id"] for copy in fetch(self._client, answer.references)]
        again = visit(self._client, lambda tracker: thank(tracker.track, number)) if outcome == "twice" else None
        return copies_of(answer) + (copies_of(again) if again is not None else [])

    def _insert(self, tracker: Any, number: str) -> None:
        self._app.execute(f"INSERT INTO orders VALUES ('{number}')")
        tracker.track("Purchase", order_id=number, value=5, currency="EUR", connection=self._app.given)


class AsyncpgShop:
    """Orders over asyncpg, in views under ASGI."""

    def __init__(self, client: Client, connection: Any, loop: asyncio.AbstractEventLoop) -> None:
        self._client = client
        self._connection = connection
        self._loop = loop

    def order(self, number: str, outcome: str) -> list[str]:
        return self._loop.run_until_complete(self._order(number, outcome))

    async def _order(self, number: str, outcome: str) -> list[str]:
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
            if outcome == "nested":
                part = self._connection.transaction()
                await part.start()
                await self._insert(track, f"{number}-part")
                await part.rollback()
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

        async def second(track: Callable[..., Any]) -> None:
            thank(track, number)

        try:
            answer = await visit_asgi(self._client, view)
        except RefusedError:
            return []
        if outcome == "late":
            await transaction.commit()
            return copies_of(answer) + [copy[1]["order_id"] for copy in fetch(self._client, answer.references)]
        again = await visit_asgi(self._client, second) if outcome == "twice" else None
        return copies_of(answer) + (copies_of(again) if again is not None else [])

    async def _insert(self, track: Callable[..., Any], number: str) -> None:
        await self._connection.execute("INSERT INTO orders VALUES ($1)", number)
        event = track("Purchase", order_id=number, value=5, currency="EUR")
        sql, parameters = self._client.insert_statement(event)
        await self._connection.execute(sql, *parameters)
