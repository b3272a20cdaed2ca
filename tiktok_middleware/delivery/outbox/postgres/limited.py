"""Connection to PostgreSQL whose calls end: also when the server, or the network, does not answer at all."""

from __future__ import annotations

import time
from collections.abc import Generator
from math import inf
from typing import Any

import psycopg

__all__ = ["LimitedConnection"]


class LimitedConnection(psycopg.Connection[tuple[Any, ...]]):
    """Limits each wait for the server's answer.

    The server's own limits end a statement only while the server runs and its answer arrives.

    Attributes:
        limit_s: longest wait, in seconds.
    """

    limit_s: float = inf

    def wait(self, gen: Any, *args: Any, **kwargs: Any) -> Any:
        """Wait for a generator of psycopg.

        Raises:
            psycopg.OperationalError: there is no answer within `limit_s`. The connection must be closed then.
        """
        return super().wait(_limited(gen, self.limit_s), *args, **kwargs)


def _limited(gen: Generator[Any, Any, Any], limit_s: float) -> Generator[Any, Any, Any]:
    """Return the generator with a time limit; psycopg resumes it at least every tenth of a second."""
    deadline = time.monotonic() + limit_s
    try:
        wanted = next(gen)
        while True:
            ready = yield wanted
            if not ready and time.monotonic() > deadline:
                gen.close()
                raise psycopg.OperationalError(f"no answer within {limit_s:.1f} s")
            wanted = gen.send(ready)
    except StopIteration as end:
        return end.value
