"""The changes that the middleware may make to an app's response; every other difference is a fault.

The reason of each change is in docs/architecture.md ("Decisions") or docs/how-to/caches.md, where users read it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

__all__ = ["ALLOWED", "Answer", "differences", "scripts_in"]

Pair = tuple[str, str]

#: What may change, and why.
ALLOWED = {
    "body: one script in a page": "The pixel and the helper stand at the end of the head.",
    "content-length: longer by the script": "The body is longer.",
    "content-length: absent, the body in chunks": "The head of a stream leaves before the place of the script is known.",
    "etag: marked": "A page with the constant script is another page than without it, and can still be revalidated.",
    "etag: absent": "The page was changed for one visitor, so that no copy of it is valid for another.",
    "last-modified: absent": "As for etag.",
    "accept-ranges: absent": "A part of the changed page cannot be asked for.",
    "content-md5 and digests: absent": "They describe other bytes.",
    "cache-control: private": "The page holds data of one visitor, or lacks the script because of the visitor.",
    "expires: absent": "A date in the future lets shared caches keep a page that is private.",
    "set-cookie: ttclid, _ttp, _tt_*": "The click id, the browser id and the events of a redirect live in first-party cookies.",
    "tiktok-events: added": "An answer to a script carries its events.",
    "server-timing: added": "The browser's own channel announces those events to the helper.",
}
assert len(ALLOWED) <= 15

_SCRIPT = re.compile(
    rb"<script>(?:(?!</?script)[\s\S])*/_tiktok/helper-[0-9a-f]{16}\.js(?:(?!</?script)[\s\S])*</script>"
)
_OUR_COOKIE = re.compile(r"(?:ttclid|_ttp|_tt_[a-z.]+[0-9a-f]*)=")
_OF_THE_BYTES = {"etag", "last-modified", "accept-ranges", "content-md5", "digest", "content-digest", "repr-digest"}
_MARKED = re.compile(r'W/("[^"]*)-([sw])[0-9a-f]{8}"')


@dataclass(frozen=True)
class Answer:
    """What a client got.

    Attributes:
        headers: names in lower case, in order, without the date.
    """

    status: int
    headers: Sequence[Pair]
    body: bytes
    masks: Sequence[re.Pattern[bytes]] = field(default=())

    @property
    def masked(self) -> bytes:
        """The body without what differs from one run of the app to the next."""
        body = self.body
        for mask in self.masks:
            body = mask.sub(b"*", body)
        return body


def scripts_in(answer: Answer) -> int:
    """Return how many scripts of ours are in a body."""
    return len(_SCRIPT.findall(answer.body))


def differences(bare: Answer, ours: Answer) -> list[str]:
    """Return what differs beyond the allowed changes, in words."""
    found = [] if bare.status == ours.status else [f"status {bare.status} became {ours.status}"]
    plain = Answer(ours.status, ours.headers, _SCRIPT.sub(b"", ours.body, count=1), ours.masks)
    if plain.masked != bare.masked:
        found.append(f"body {_around(bare.masked, plain.masked)}")
    growth_bytes = len(ours.body) - len(plain.body)
    left = [pair for pair in ours.headers if not _is_added(pair)]
    for name, value in bare.headers:
        match = next((pair for pair in left if pair[0] == name and _may_become(value, pair, growth_bytes)), None)
        if match is not None:
            left.remove(match)
        elif not _may_go(name, growth_bytes, ours):
            found.append(f"{name}: {value} is not in {[pair for pair in ours.headers if pair[0] == name]}")
    chunked = ("transfer-encoding", "chunked") if growth_bytes else ("", "")
    return found + [f"{pair} was added" for pair in left if pair not in {("cache-control", "private"), chunked}]


def _around(bare: bytes, ours: bytes) -> str:
    at = next(
        (index for index, (a, b) in enumerate(zip(bare, ours, strict=False)) if a != b), min(len(bare), len(ours))
    )
    return f"{bare[max(0, at - 40) : at + 80]!r} became {ours[max(0, at - 40) : at + 80]!r}"


def _is_added(pair: Pair) -> bool:
    name, value = pair
    is_timing = name == "server-timing" and value.startswith("tiktok;")
    return name == "tiktok-events" or is_timing or (name == "set-cookie" and _OUR_COOKIE.match(value) is not None)


def _may_become(value: str, ours: Pair, growth_bytes: int) -> bool:
    name, new = ours
    if new == value:
        return name != "content-length" or not growth_bytes
    if name == "content-length":
        return growth_bytes > 0 and int(new) == int(value) + growth_bytes
    if name == "cache-control":
        kept = [part for part in re.split(r",\s*", value) if part != "public" and not part.startswith("s-maxage")]
        return new == ", ".join([*kept, "private"])
    if name == "set-cookie":  # the app's own cookie, which differs from run to run
        return new.partition("=")[0] == value.partition("=")[0] and new.partition(";")[2] == value.partition(";")[2]
    marked = _MARKED.fullmatch(new) if name == "etag" and growth_bytes else None
    return marked is not None and f'{"W/" if marked[2] == "w" else ""}{marked[1]}"' == value


def _may_go(name: str, growth_bytes: int, ours: Answer) -> bool:
    is_private = ("cache-control", "private") in ours.headers
    return (growth_bytes > 0 and name in {*_OF_THE_BYTES, "content-length"}) or (is_private and name == "expires")
