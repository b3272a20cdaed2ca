"""A shop in a process of its own, which takes orders until it is killed: ``python -m tests.transactions.orders_host``.

Each order ends at random: committed, rolled back, with an exception before or after the commit, in a second try, with a
savepoint that is rolled back, after the response, or with a second page that tracks the same order.

The process writes a line for each order to standard output: its number, and the orders whose browser copies left.
"""

from __future__ import annotations

import asyncio
import os
import random
import sys
from typing import Any

from tests.transactions.databases import database
from tests.transactions.orders_shops import OUTCOMES, AsyncpgShop, SyncShop
from tiktok_middleware import Client, Config


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


def main(kind: str, outbox: str, api: str, first: int, last: int) -> None:
    # Libraries are imported where they are used, so that each host starts soon.
    url = outbox.partition("?")[0]
    if kind.startswith("django"):
        from tests.transactions.orders_django import DjangoShop, configure

        configure(url)
        client = make_client(f"django:default?{outbox.partition('?')[2]}", api)
        take_all(DjangoShop(client, is_async=kind.endswith("async")), kind, first, last)
    elif kind == "asyncpg":
        import asyncpg

        client = make_client(outbox, api)
        loop = asyncio.new_event_loop()
        take_all(AsyncpgShop(client, loop.run_until_complete(asyncpg.connect(url)), loop), kind, first, last)
    else:
        client = make_client(outbox, api)
        with database(url, kind) as app:
            take_all(SyncShop(client, app), kind, first, last)
    client.close(10)
    os.write(1, b"done\n")


def take_all(shop: Any, kind: str, first: int, last: int) -> None:
    for number in range(first, last):
        order = f"{kind}-{number}"
        outcome = random.choice(OUTCOMES)
        copies = shop.order(order, outcome)
        os.write(1, " ".join([str(number), *copies]).encode() + b"\n")


if __name__ == "__main__":
    main(*sys.argv[1:4], *map(int, sys.argv[4:]))  # type: ignore[arg-type]
