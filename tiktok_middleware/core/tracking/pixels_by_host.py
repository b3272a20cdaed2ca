"""Choose the pixels of a request by its host, and prepare one runtime for each set of pixels."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any, NamedTuple

from tiktok_middleware.core.runtime import BoundedCache, Runtime

__all__ = ["HostPixels", "RuntimesByHost", "read_host_pixels"]

#: How long the function's answer for a host is used, in seconds.
ANSWER_AGE_S = 60.0

_OPTION = "TIKTOK_PIXEL_BY_HOST"
_ALLOWED = (
    "a pixel id, a list of pixel ids, None for a host without a pixel, or a mapping such as"
    ' {"pixels": ["C0000000000000000001"], "currency": "EUR"}'
)
_CURRENCY = re.compile(r"[A-Z]{3}")


class HostPixels(NamedTuple):
    """The function's answer for one host.

    Attributes:
        pixels: the pixel ids, in the order of the answer; empty for a host without a pixel.
        currency: currency of events with a value and no currency; empty for none.
    """

    pixels: tuple[str, ...] = ()
    currency: str = ""


class RuntimesByHost:
    """Returns the runtime of a host; each set of pixels has one, with caches of its own.

    Args:
        main: runtime with all pixels.
        ask: returns the pixels of a host name; see :func:`read_host_pixels` for the allowed answers.
    """

    def __init__(self, main: Runtime, ask: Callable[[str], object]) -> None:
        self._main = main
        self._ask = ask
        self._by_host: BoundedCache[str, tuple[float, Runtime]] = BoundedCache()
        self._by_answer: BoundedCache[HostPixels, Runtime] = BoundedCache()

    def __call__(self, host: str) -> Runtime:
        """Return the runtime of a host name without a port; empty if the host is unknown."""
        host = host.lower().rstrip(".")
        now_s = self._main.clock()
        known = self._by_host.get(host)
        if known is not None and abs(now_s - known[0]) < ANSWER_AGE_S:
            return known[1]
        try:
            found = self._runtime(self._read(host, self._answer(host)))
        except Exception as error:  # noqa: BLE001  # function and answer are the application's
            self._main.notices.failure("pixel_by_host", error)
            return self._runtime(HostPixels())
        self._by_host.keep(host, (now_s, found))
        return found

    def __iter__(self) -> Iterator[Runtime]:
        """Return an iterator over the runtimes that exist."""
        return iter(tuple(self._by_answer.values()))

    def _answer(self, host: str) -> object:
        try:
            return self._ask(host)
        except LookupError:  # a dict without this host
            return None

    def _read(self, host: str, answer: object) -> HostPixels:
        found, problems = read_host_pixels(answer, self._main.pixels)
        notices = self._main.notices
        for problem in problems:
            notices.once(f"{_OPTION} {problem}", f"{_OPTION} for host {host or 'unknown'!r}: {problem}")
        if not found.pixels:
            notices.count("no_pixel_for_host")
            notices.once(
                "no_pixel_for_host",
                f"no_pixel_for_host: {_OPTION} names no pixel for host {host or 'unknown'!r}: its pages pass untouched"
                " and its events are not sent; return its pixel ids, or None for none (logged once)",
            )
        return found

    def _runtime(self, found: HostPixels) -> Runtime:
        made = self._by_answer.get(found)
        if made is None:
            main = self._main
            config = main.config.with_pixels(found.pixels)
            made = replace(main, config=config, snippet=main.snippet.with_pixels(found.pixels), currency=found.currency)
            self._by_answer.keep(found, made)
        return made


def read_host_pixels(answer: Any, known: Iterable[str]) -> tuple[HostPixels, list[str]]:
    """Return the pixels in an answer, and one message for each part that cannot be used.

    Args:
        answer: a pixel id, several ids separated by commas, an iterable of ids, a mapping with ``pixels`` and
            ``currency``, or None.
        known: the ids of ``TIKTOK_PIXEL_ID``, which have tokens.
    """
    currency: object = ""
    if isinstance(answer, Mapping):
        if unknown := sorted(map(repr, set(answer) - {"pixels", "currency"})):
            return HostPixels(), [f"the mapping has the key {unknown[0]}; allowed: pixels, currency"]
        currency, answer = answer.get("currency") or "", answer.get("pixels")
    if answer is None:
        given: list[Any] = []
    elif isinstance(answer, str):
        given = [part.strip() for part in answer.split(",") if part.strip()]
    elif isinstance(answer, (list, tuple, set, frozenset)):
        given = [one.strip() if isinstance(one, str) else one for one in answer]
    else:
        return HostPixels(), [f"the function's answer is {_kind(answer)}; allowed: {_ALLOWED}"]
    ids, all_ids, problems = [], set(known), []
    for one in given:
        if not isinstance(one, str):
            problems.append(f"a pixel id is {_kind(one)}; allowed: text, one of the ids in TIKTOK_PIXEL_ID")
        elif one not in all_ids:
            problems.append(f"pixel id {one[:50]!r} is left out; allowed: one of the ids in TIKTOK_PIXEL_ID")
        else:
            ids.append(one)
    word = currency.strip().upper() if isinstance(currency, str) else ""
    if currency and _CURRENCY.fullmatch(word) is None:
        problems.append(f"the currency is {_kind(currency)}; allowed: a code of three letters such as EUR")
        word = ""
    return HostPixels(tuple(dict.fromkeys(ids)), word), problems


def _kind(value: object) -> str:
    return f"{value[:20]!r}" if isinstance(value, str) else f"of type {type(value).__name__[:50]}"
