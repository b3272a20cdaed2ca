"""Every regular expression of the package takes time in proportion to its input, on the worst input we can derive from it."""

from __future__ import annotations

import importlib
import pkgutil
import re
import time
from collections.abc import Callable, Iterator
from itertools import product
from pathlib import Path
from typing import Any

import pytest

import tiktok_middleware

pytestmark = pytest.mark.slow

_PACKAGE = Path(tiktok_middleware.__file__).parent
_SKIPPED = ("tiktok_middleware.sandbox", "tiktok_middleware.delivery.celery", "tiktok_middleware.contrib")
_SOURCES = "\n".join(path.read_text("utf-8") for path in _PACKAGE.rglob("*.py"))
_LARGE, _SMALL = 32_768, 4_096
# A quadratic pattern takes above 80 ms for the small input and seconds for the large one.
_LIMIT_S = 0.05


def patterns() -> Iterator[tuple[str, re.Pattern[Any]]]:
    """Every compiled pattern that is a global of a module of ours, alone or in a container."""
    seen = set()
    for found in pkgutil.walk_packages([str(_PACKAGE)], "tiktok_middleware."):
        if found.name.startswith(_SKIPPED) or found.name.endswith("__main__"):
            continue
        module = importlib.import_module(found.name)
        for name, value in vars(module).items():
            members = value.values() if isinstance(value, dict) else value if isinstance(value, (list, tuple)) else ()
            for one in (value, *members, *(deep for member in members if isinstance(member, tuple) for deep in member)):
                if isinstance(one, re.Pattern) and (one.pattern, one.flags) not in seen:
                    seen.add((one.pattern, one.flags))
                    yield f"{found.name.removeprefix('tiktok_middleware.')}.{name}", one


# Tables of patterns whose entries are only used at a given place.
_TABLES = ("core.page.html_tokens._TAG_STATES",)
# They read our own scripts only.
_OWN_TEXT = ("core.pixel.snippet._TEXT", "core.pixel.snippet._NEEDLESS")


def ways(name: str, pattern: re.Pattern[Any]) -> list[Any]:
    """The methods by which the package uses it; those that search where that cannot be seen, but for tables."""
    if name in _TABLES:
        return [pattern.match, pattern.fullmatch]
    used = set(
        re.findall(rf"\b{name.rpartition('.')[2]}\.(search|finditer|findall|sub|split|match|fullmatch)\b", _SOURCES)
    )
    if not used or used & {"search", "finditer", "findall", "sub", "split"}:
        return [lambda text: sum(1 for _ in pattern.finditer(text))]
    return [pattern.match, pattern.fullmatch]


def units(pattern: re.Pattern[Any]) -> tuple[list[str], list[str]]:
    """What the pattern speaks of: its characters and words, alone and in pairs."""
    source = pattern.pattern if isinstance(pattern.pattern, str) else pattern.pattern.decode("latin-1")
    letters = {letter for letter in source if letter.isprintable() and not letter.isalnum()} - set("^$*?{}|")
    letters |= {"a", "0", " ", '"', "\\"}
    words = set(re.findall(r"(?<!\\)[A-Za-z]{2,}", source)) - {"SUSPECT"}
    alone = sorted(letters | words)
    pairs = ["".join(pair) for pair in product(sorted(letters), repeat=2) if pair[0] != pair[1]]
    return alone, pairs + [word + letter for word in sorted(words)[:40] for letter in sorted(letters)]


def seconds(use: Callable[[Any], object], text: Any) -> float:
    """Processor time of one use; a busy machine can double it, so that the least of several counts."""
    started = time.thread_time()
    use(text)
    return time.thread_time() - started


@pytest.mark.parametrize(
    ("name", "pattern"), [pytest.param(*found, id=found[0]) for found in patterns() if found[0] not in _OWN_TEXT]
)
def test_pattern_is_linear(name: str, pattern: re.Pattern[Any]) -> None:
    alone, pairs = units(pattern)
    uses = ways(name, pattern)
    for unit, size in [(unit, _SMALL) for unit in alone + pairs] + [(unit, _LARGE) for unit in alone]:
        text = (unit * (size // len(unit) + 1))[:size]
        for end in ("", "\n!"):
            whole: Any = text + end if isinstance(pattern.pattern, str) else (text + end).encode("latin-1", "replace")
            for use in uses:
                taken_s = min(seconds(use, whole) for _ in range(3)) if seconds(use, whole) >= _LIMIT_S else 0.0
                assert taken_s < _LIMIT_S, f"{unit!r} {size} times, then {end!r}: {taken_s:.3f} s"
