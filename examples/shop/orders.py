"""Orders in one small SQLite file that all worker processes share."""

from __future__ import annotations

import getpass
import json
import os
import secrets
import sqlite3
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from .cart import Cart, Line
from .catalogue import find_product
from .checkout import Customer

__all__ = ["Order", "find_order", "mark_paid", "place_order"]

_ALPHABET = "23456789ABCDEFGHJKMNPQRSTUVWXYZ"  # without characters that look alike, such as 0 and O
_TABLE = """
create table if not exists orders (
    number text primary key, lines text not null, shipping_cents integer not null,
    customer text not null, placed_at integer not null, paid_at integer
)"""


class WarehouseError(Exception):
    """The warehouse did not take the order."""


@dataclass(frozen=True)
class Order:
    """One order; times are Unix seconds, UTC."""

    number: str
    lines: tuple[Line, ...]
    shipping_cents: int
    customer: Customer
    placed_at: int
    paid_at: int | None

    @property
    def is_paid(self) -> bool:
        """Return whether the bank has confirmed the payment."""
        return self.paid_at is not None

    @property
    def subtotal_cents(self) -> int:
        """Return the price of the pieces, in euro cents."""
        return sum(line.total_cents for line in self.lines)

    @property
    def total(self) -> float:
        """Return the price with shipping, in euros."""
        return (self.subtotal_cents + self.shipping_cents) / 100


def place_order(cart: Cart, customer: Customer) -> Order:
    """Store and return a new order, which is not paid yet.

    Raises:
        WarehouseError: the customer's e-mail address is at `fail.example`; this shows a failing checkout.
    """
    if customer.email.endswith("@fail.example"):
        raise WarehouseError("the warehouse did not answer")
    number = "TW-" + "".join(secrets.choice(_ALPHABET) for _ in range(8))
    order = Order(number, tuple(cart.lines), cart.shipping_cents, customer, int(time.time()), None)
    lines = json.dumps([[line.product.slug, line.quantity] for line in order.lines])
    row = (number, lines, order.shipping_cents, json.dumps(asdict(customer)), order.placed_at)
    with _database() as database:
        database.execute("insert into orders values (?, ?, ?, ?, ?, null)", row)
    return order


def find_order(number: str) -> Order | None:
    """Return the order with this number, or None."""
    with _database() as database:
        row = database.execute("select * from orders where number = ?", (number,)).fetchone()
    if row is None:
        return None
    number, lines, shipping_cents, customer, placed_at, paid_at = row
    bought = tuple(
        Line(product, quantity) for slug, quantity in json.loads(lines) if (product := find_product(slug)) is not None
    )
    return Order(number, bought, shipping_cents, Customer(**json.loads(customer)), placed_at, paid_at)


def mark_paid(order: Order) -> None:
    """Record the payment; a second call changes nothing."""
    with _database() as database:
        database.execute(
            "update orders set paid_at = ? where number = ? and paid_at is null", (int(time.time()), order.number)
        )


@contextmanager
def _database() -> Iterator[sqlite3.Connection]:
    database = sqlite3.connect(_path(), timeout=5)
    try:
        with database:
            database.execute(_TABLE)
            yield database
    finally:
        database.close()


def _path() -> str:
    if path := os.environ.get("SHOP_DB"):
        return path
    folder = Path(tempfile.gettempdir()) / f"tidewheel-{getpass.getuser()}"
    folder.mkdir(mode=0o700, exist_ok=True)  # orders are personal data: no access for other users
    return str(folder / "orders.sqlite3")
