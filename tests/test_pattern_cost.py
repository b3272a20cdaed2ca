"""A rule of the operator is searched in what any visitor sends: no user agent may make it slow."""

from __future__ import annotations

import re

import crawleruseragents
import pytest

from tests.timing import least_s
from tiktok_middleware import Config
from tiktok_middleware._pattern_cost import MAX_WAYS, ways
from tiktok_middleware.errors import ConfigError

PIXEL = "C0000000000000000001"
QUICK = [
    "MyShopApp",
    r"Acme\.Monitor/[0-9]+\.[0-9]{1,3}",
    "Acme.*Monitor",
    "^Acme",
    "Acme$",
    r"\bacme\b",
    "Acme(?:Bot|Monitor|Check)",
    "Acme[A-Za-z]*",
    "(?:acme-)+bot",
    "a*b",
    ".*x",
    "[a-z]+[0-9]",
    "(?!Acme)Monitor",
    "a{0,1000}b",
    "a*a{0,3}b",
]
SLOW = [
    "(a+)+b",
    "(a*)*b",
    "(a|a)*b",
    "(a|aa)+$",
    "([a-z]+)*$",
    "(?:a?){60}b",
    "a*a*b",
    "a+[a-z]+a+x",
    ".*.*x",
    "Acme.*Monitor.*x",
    "(x+x+)+y",
    "a{0,200}a{0,200}b",
    "(?:a{0,60}){0,60}b",
    "(?=a+)a+b",
    r"(a*)\1b",
    "(?:a|b|ab)*c",
    r"\s+\s+x",
]
WORST = ["a" * 1024, "ab" * 512, "acme-" * 204, "Acme" * 256, "x" * 1024, " " * 1024, "9" * 1024, "Acme." * 204]


@pytest.mark.parametrize("pattern", QUICK)
def test_quick_pattern_is_accepted_and_quick_on_the_worst_user_agents(pattern: str) -> None:
    assert Config(pixel_id=PIXEL, bots=f"auto,-{pattern}").bots == f"auto,-{pattern}"
    compiled = re.compile(pattern, re.IGNORECASE)
    assert least_s(lambda: [compiled.search(agent) for agent in WORST], 0.1) < 0.1


@pytest.mark.parametrize("pattern", SLOW)
@pytest.mark.parametrize("sign", "+-")
def test_slow_pattern_is_rejected_with_what_is_allowed(sign: str, pattern: str) -> None:
    with pytest.raises(ConfigError, match=r"TIKTOK_BOTS is .* it may search for too long: use at most one repetition"):
        Config(pixel_id=PIXEL, bots=f"auto,{sign}{pattern}")


def test_each_pattern_that_the_counters_name_can_be_a_rule() -> None:
    patterns = [entry["pattern"] for entry in crawleruseragents.CRAWLER_USER_AGENTS_DATA]
    assert len(patterns) > 1000
    assert [pattern for pattern in patterns if ways(pattern) > MAX_WAYS] == []


def test_list_of_crawlers_is_quick_on_the_worst_user_agents() -> None:
    compiled = [re.compile(entry["pattern"]) for entry in crawleruseragents.CRAWLER_USER_AGENTS_DATA]
    slowest = max(least_s(lambda p=one: [p.search(agent) for agent in WORST], 0.05) for one in compiled)  # type: ignore[misc]
    assert slowest < 0.05
