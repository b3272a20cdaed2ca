"""Which changes of a response's headers are documented; written down here by hand, it asks the package nothing."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

__all__ = ["Pair", "header_faults"]

Pair = tuple[str, str]

_OUR_COOKIES = ("ttclid=", "_ttp=", "_tt_carry.", "_tt_fresh=")
_OF_THE_BYTES = {
    "etag",
    "last-modified",
    "content-md5",
    "digest",
    "content-digest",
    "repr-digest",
    "accept-ranges",
    "signature",
}


def header_faults(app: Sequence[Pair], ours: Iterable[Pair], growth_bytes: int) -> list[str]:
    """What differs between the app's headers and ours beyond what is documented.

    Args:
        app: the app's headers.
        ours: the same after the middleware.
        growth_bytes: how much longer the body became; 0 where it is the app's.
    """
    kept = [pair for pair in ours if not (_is_added(pair) or (growth_bytes and _is_true_of_a_grown_body(pair, app)))]
    added_private = not any(name.lower() == "cache-control" for name, _ in app)
    expected: list[tuple[Pair, ...]] = []
    for name, value in app:
        lowered = name.lower()
        if growth_bytes and lowered in _OF_THE_BYTES:
            continue
        if growth_bytes and lowered == "content-length":
            expected.append(((name, str(int(value) + growth_bytes)),))
        elif lowered == "cache-control":
            expected.append(((name, value), (name, f"{value}, private")))
        else:
            expected.append(((name, value),))
    private = next((pair for pair in kept if _lower(pair) == ("cache-control", "private")), None)
    if added_private and private is not None:
        kept.remove(private)
    if len(kept) == len(expected) and all(
        _lower(pair) in map(_lower, choices) for pair, choices in zip(kept, expected, strict=True)
    ):
        return []
    return [f"headers {list(app)} became {kept}"]


def _is_true_of_a_grown_body(pair: Pair, app: Sequence[Pair]) -> bool:
    """Whether a header is the app's date, or its tag with our mark: a page with the constant script keeps them so."""
    name, value = _lower(pair)
    if name == "last-modified":
        return (name, value) in map(_lower, app)
    marked = re.fullmatch(r'W/("[^"]*)-([sw])[0-9a-f]{8}"', value) if name == "etag" else None
    if marked is None:
        return False
    bare = f'{"W/" if marked[2] == "w" else ""}{marked[1]}"'
    return ("etag", bare) in map(_lower, app)


def _lower(pair: Pair) -> Pair:
    return pair[0].lower(), pair[1]


def _is_added(pair: Pair) -> bool:
    name, value = _lower(pair)
    return (
        name == "tiktok-events"
        or (name == "server-timing" and value.startswith("tiktok;"))
        or (name == "set-cookie" and value.startswith(_OUR_COOKIES))
    )
