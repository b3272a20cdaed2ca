"""Datasette with one database of products; views of a product are tracked from outside the app."""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path
from typing import Any

from datasette.app import Datasette

from tiktok_middleware.asgi import TikTokMiddleware

FILE = str(Path(os.environ["SHOP_DB"]).with_name("products.db"))

with sqlite3.connect(FILE) as connection:
    connection.execute("create table products (id integer primary key, name text, price real)")
    rows = [(f"product {number} <b>&", number * 1.5) for number in range(300)]
    connection.executemany("insert into products (name, price) values (?, ?)", rows)
connection.close()

datasette = Datasette([FILE], settings={"num_sql_threads": 1, "default_cache_ttl": 0}).app()


async def tracked(scope: Any, receive: Any, send: Any) -> None:
    tracker = scope.get("tiktok_middleware.tracker")
    if tracker is not None and scope["path"].endswith("/products/7"):
        tracker.track("ViewContent", content_id="7", value=10.5, currency="EUR")
    await datasette(scope, receive, send)


app: Any = datasette if "BARE" in os.environ else TikTokMiddleware(tracked)
