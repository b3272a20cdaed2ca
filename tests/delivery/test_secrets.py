"""No object that code of others receives, or that an error report prints, shows a token."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.delivery.delivery_world import PIXEL
from tiktok_middleware.client import Client
from tiktok_middleware.config import Config
from tiktok_middleware.delivery.delivery import DeliveryOptions

TOKEN, SECRET, BROKER = "0123456789abcdef0123456789abcdef", "s3cr3t" * 6, "redis://:pa55word@localhost:1/0"


def parts(root: object, depth: int = 6) -> Iterator[object]:
    """An object and what its attributes hold, and so on."""
    seen: set[int] = set()
    todo = [(root, depth)]
    while todo:
        part, left = todo.pop()
        if id(part) in seen or isinstance(part, (str, bytes, int, float, type(None), type)):
            continue
        seen.add(id(part))
        yield part
        if not left or not type(part).__module__.startswith("tiktok_middleware"):
            continue
        names = [*getattr(part, "__dict__", {}), *(n for c in type(part).__mro__ for n in getattr(c, "__slots__", ()))]
        names += list(getattr(type(part), "__struct_fields__", ()))
        todo += [(getattr(part, name, None), left - 1) for name in names]


@pytest.mark.parametrize("sink", ["direct", "celery"])
def test_no_repr_shows_a_secret(sink: str, tmp_path: Any) -> None:
    client = Client(
        Config(
            pixel_id=PIXEL,
            access_token=TOKEN,
            secret_key=SECRET,
            sink=sink,
            celery_broker=BROKER,
            outbox=f"sqlite:///{tmp_path}/o.sqlite3",
        )
    )
    held = {TOKEN, SECRET, "pa55word"}
    shown = [
        (type(part).__name__, name)
        for part in parts(client)
        if not isinstance(part, (dict, list, tuple, set, frozenset))
        for name in held
        if name in repr(part) or name in str(part)
    ]
    assert shown == []
    client.close(0)


def test_the_options_of_a_sink_hold_the_token_and_do_not_print_it() -> None:
    options = DeliveryOptions(tokens={PIXEL: TOKEN})
    assert options.tokens[PIXEL] == TOKEN
    for text in (repr(options), str(options), f"{options}", f"{options!r}"):
        assert TOKEN not in text
        assert PIXEL in text
