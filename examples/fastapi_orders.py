"""An order and its event in one transaction on FastAPI, with SQLAlchemy: `python examples/fastapi_orders.py`.

DATABASE_URL names a PostgreSQL database, which holds the orders and the outbox. `/orders` uses a synchronous session,
`/async-orders` an asynchronous one. An order that is declined after it was tracked leaves neither a row nor an event.
TIKTOK_PIXEL_ID and TIKTOK_ACCESS_TOKEN switch TikTok on.
"""

from __future__ import annotations

import os
import uuid
from typing import Annotated

from fastapi import Depends, FastAPI, Form, Request
from fastapi.responses import HTMLResponse, RedirectResponse
from sqlalchemy import create_engine
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

from tiktok_middleware import Client, Config, Tracker
from tiktok_middleware.contrib.fastapi import TikTokMiddleware, tiktok_from

DATABASE = os.environ.get("DATABASE_URL", "postgresql://postgres@127.0.0.1/shop")
engine = create_engine(DATABASE.replace("postgresql://", "postgresql+psycopg://"))
async_engine = create_async_engine(DATABASE.replace("postgresql://", "postgresql+asyncpg://"))


class Base(DeclarativeBase):
    """Base of the shop's tables."""


class Order(Base):
    """An order."""

    __tablename__ = "shop_order"

    number: Mapped[str] = mapped_column(primary_key=True)
    total: Mapped[float]


Base.metadata.create_all(engine)

app = FastAPI(title="Orders", docs_url=None, redoc_url=None)
app.add_middleware(TikTokMiddleware, client=Client(Config.from_env(outbox=DATABASE)))

TikTok = Annotated[Tracker, Depends(tiktok_from)]
Card = Annotated[str, Form()]

PAGE = '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Orders</title></head><body>{}</body></html>'
FORM = (
    '<form method="post" action="/orders"><button name="card" value="good">Buy</button> '
    '<button name="card" value="declined">Buy with a card that is declined</button></form>'
)


class DeclinedError(Exception):
    """The bank has declined the card."""


def charge(card: str) -> None:
    if card != "good":
        raise DeclinedError


def new_order() -> Order:
    return Order(number=uuid.uuid4().hex[:12], total=59.90)


def track_purchase(tiktok: Tracker, order: Order, session: Session) -> None:
    """Track an order in the transaction of its session."""
    tiktok.track("Purchase", order_id=order.number, value=order.total, currency="EUR", connection=session)


@app.get("/", response_class=HTMLResponse)
def home() -> str:
    return PAGE.format(FORM)


@app.post("/orders")
def place_order(tiktok: TikTok, card: Card) -> RedirectResponse:
    with Session(engine, expire_on_commit=False) as session, session.begin():
        order = new_order()
        session.add(order)
        track_purchase(tiktok, order, session)
        charge(card)  # rolls back the order and its event if it raises
    return RedirectResponse(f"/orders/{order.number}", 303)


@app.post("/async-orders")
async def place_order_async(tiktok: TikTok, card: Card) -> RedirectResponse:
    async with AsyncSession(async_engine, expire_on_commit=False) as session, session.begin():
        order = new_order()
        session.add(order)
        await session.run_sync(lambda sync_session: track_purchase(tiktok, order, sync_session))
        charge(card)
    return RedirectResponse(f"/orders/{order.number}", 303)


@app.get("/orders/{number}", response_class=HTMLResponse)
def thank_you(number: str) -> str:
    return PAGE.format(f"Thank you for order {number}.")


@app.exception_handler(DeclinedError)
def declined(_request: Request, _error: Exception) -> HTMLResponse:
    return HTMLResponse(PAGE.format("Your card was declined."), status_code=402)


if __name__ == "__main__":
    import uvicorn

    uvicorn.run(app, port=int(os.environ.get("PORT", "8000")))
