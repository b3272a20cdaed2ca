"""User agents of 2024 to 2026: phones, apps' own browsers, and crawlers, with and without fetch metadata."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.contract.adapters import make_client
from tests.core.core_world import NAVIGATION, scope_request

AGENTS = Path(__file__).with_name("recent_agents.txt").read_text("utf-8").splitlines()
PEOPLE, CRAWLERS = AGENTS[1 : AGENTS.index("# crawlers")], AGENTS[AGENTS.index("# crawlers") + 1 :]
HEADERS = {"fetch metadata": NAVIGATION, "none": {"accept": "text/html"}}


def patterns(agents: list[str], headers: str) -> dict[str, str]:
    """The pattern by which each of these user agents is a bot's."""
    client = make_client()
    find = client.runtime.bot_pattern
    found = {agent: find(scope_request("/", {**HEADERS[headers], "user-agent": agent})) for agent in agents}
    client.close(0)
    return found


@pytest.mark.parametrize("headers", HEADERS)
def test_recent_phone_or_app_is_a_persons(headers: str) -> None:
    assert len(PEOPLE) == 39
    assert {agent: pattern for agent, pattern in patterns(PEOPLE, headers).items() if pattern} == {}


@pytest.mark.parametrize("headers", HEADERS)
def test_recent_crawler_is_a_bot(headers: str) -> None:
    assert len(CRAWLERS) == 25
    assert [agent for agent, pattern in patterns(CRAWLERS, headers).items() if not pattern] == []
