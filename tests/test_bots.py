"""The list of crawlers, tried on people, crawlers and tools; and the cost of one decision."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator

import crawleruseragents
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tiktok_middleware import Client, Config
from tiktok_middleware import _bots as bots
from tiktok_middleware._bots import _agent_of, agent_of
from tiktok_middleware.core.visitor.bots import BOT, PERSON, TOOL

PEOPLE = [
    (
        "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.5"
        " Mobile/15E148 Safari/604.1"
    ),
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36",
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:143.0) Gecko/20100101 Firefox/143.0",
    "Mozilla/5.0 (Linux; Android 10; CUBOT X20) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/139.0.0.0 Mobile Safari/537.36",
    (
        "Mozilla/5.0 (Linux; Android 15; SM-S938B Build/AP3A; wv) AppleWebKit/537.36 (KHTML, like Gecko) Version/4.0"
        " Chrome/139.0.0.0 Mobile Safari/537.36 trill_2024 BytedanceWebview/d8a21c6"
    ),
    (
        "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Mobile/15E148"
        " Instagram 390.0.0.0 (iPhone16,2; iOS 18_5; de_DE)"
    ),
    "",
]
CRAWLERS = [
    "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)",
    (
        "Mozilla/5.0 (Linux; Android 6.0.1; Nexus 5X Build/MMB29P) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0"
        " Mobile Safari/537.36 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)"
    ),
    "Mozilla/5.0 (compatible; bingbot/2.0; +http://www.bing.com/bingbot.htm)",
    "facebookexternalhit/1.1 (+http://www.facebook.com/externalhit_uatext.php)",
    "Mozilla/5.0 AppleWebKit/537.36 (KHTML, like Gecko; compatible; GPTBot/1.2; +https://openai.com/gptbot)",
    "Mozilla/5.0 (Linux; Android 5.0) AppleWebKit/537.36 (KHTML, like Gecko; compatible; Bytespider)",
]
TOOLS = [
    "curl/8.5.0",
    "python-requests/2.32",
    "okhttp/4.12.0",
    "Mozilla/5.0 (X11) HeadlessChrome/140.0.0.0 Safari/537.36",
]


def kind_of(agent: str) -> str:
    return agent_of(agent).kind


@pytest.mark.parametrize(
    ("agent", "kind"),
    [
        *((agent, PERSON) for agent in PEOPLE),
        *((agent, BOT) for agent in CRAWLERS),
        *((agent, TOOL) for agent in TOOLS),
    ],
)
def test_people_crawlers_and_tools(agent: str, kind: str) -> None:
    assert kind_of(agent) == kind


def test_instances_of_the_list_are_found_except_those_of_people() -> None:
    entries = crawleruseragents.CRAWLER_USER_AGENTS_DATA
    seen = [agent for entry in entries for agent in entry["instances"]]
    assert len(seen) > 2000
    missed = [agent for agent in seen if bool(kind_of(agent)) != crawleruseragents.is_crawler(agent[:1024])]
    people = [agent for agent in missed if "Instagram" in agent or "MetaIAB Facebook" in agent]
    assert len(people) == 2, "Instagram's browser on an OPPO phone, and Facebook's on a Pixel"
    # One monitor copies an iPhone's user agent and adds its bare name, like an app with a web view.
    assert [agent for agent in missed if agent not in people and "Hotjar" not in agent] == []
    assert len(missed) <= 3


@given(agent=st.text(max_size=200) | st.sampled_from(CRAWLERS + PEOPLE).flatmap(
    lambda agent: st.tuples(st.integers(0, len(agent)), st.integers(0, len(agent))).map(lambda cut: agent[min(cut):max(cut)])
))  # fmt: skip
def test_any_text_gets_the_same_kind_as_from_the_list(agent: str) -> None:
    assert bool(kind_of(agent)) == crawleruseragents.is_crawler(agent)


@pytest.fixture
def unread() -> Iterator[None]:
    """Forget the list of crawlers before and after the test."""
    bots._read.clear()
    _agent_of.cache_clear()
    yield
    bots._read.clear()
    _agent_of.cache_clear()


@pytest.mark.usefixtures("unread")
def test_without_the_list_every_user_agent_is_a_person(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setitem(sys.modules, "crawleruseragents", None)  # as if it were not installed
    assert [kind_of(agent) for agent in CRAWLERS] == [PERSON] * len(CRAWLERS)
    assert caplog.text.count("list of crawlers cannot be read") == 1


@pytest.mark.slow
def test_cache_of_decisions_is_bounded() -> None:
    for number in range(5000):
        kind_of(f"Mozilla/5.0 {number} {'x' * 2000}")
    assert _agent_of.cache_info().currsize <= 4096
    assert kind_of("x" * 1024 + "Googlebot/") == PERSON


def test_a_decision_costs_microseconds() -> None:
    _agent_of.cache_clear()
    kind_of(PEOPLE[0])
    times = []
    for number in range(200):
        start = time.perf_counter()
        kind_of(f"{PEOPLE[0]} {number}")
        times.append(time.perf_counter() - start)
    print(f"new user agent: {sorted(times)[100] * 1e6:.0f} us")
    assert sorted(times)[100] < 0.001


@pytest.mark.parametrize("token", ["t", ""])
@pytest.mark.usefixtures("unread")
def test_the_list_is_read_before_any_event_loop_could_wait_for_it(token: str) -> None:
    Client(Config(pixel_id="C0000000000000000001", access_token=token, outbox="memory://")).close(0)
    assert bool(bots._read) is bool(token), "without a token nothing is sent, and no list is needed"


PHONES = [
    ("OPPO", "CPH2581 Build/AP3A.240617.008; wv"),
    ("OPPO", "CPH2557 Build/AP3A.240617.008"),
    ("realme", "RMX3853 Build/AP3A.240617.008"),
    ("OnePlus", "NE2213 Build/AP3A.240617.008; wv"),
    ("CUBOT", "CUBOT_X70 Build/TP1A.220624.014"),
    ("Samsung", "SM-S918B Build/UP1A.231005.007; wv"),
    ("Xiaomi", "23049PCD8G Build/AQ3A.241006.001; wv"),
    ("Google", "Pixel 10 Pro XL Build/CP1A.260305.018; wv"),
    ("Sonim", "XP10 Sonic Build/UQ1A.240105.004"),
    ("a model in brackets", "moto g(60) Build/S3RIS32.20-42-10; wv"),
]
IN_APP = [
    "",
    " musical_ly_2023800040 JsSdk/1.0 NetType/WIFI AppName/musical_ly BytedanceWebview/d8a21c6",
    " trill_380004 BytedanceWebview/d8a21c6",
    " Instagram 406.0.0.58.159 Android (35/15; 480dpi; 1080x2400; OPPO; CPH2557; OP573DL1; mt6833; en_MY; 822918295)",
    " [FB_IAB/FB4A;FBAV/480.0.0.33.108;IABMV/1;]",
    " MetaIAB Facebook",
    " [Pinterest/Android]",
    " Snapchat/13.0.0.50 (CPH2581; Android 15; gzip)",
]


@pytest.mark.parametrize("in_app", IN_APP, ids=[app.split("/")[0].strip() or "browser" for app in IN_APP])
@pytest.mark.parametrize(("maker", "device"), PHONES)
def test_phone_in_any_app_is_a_person(maker: str, device: str, in_app: str) -> None:
    agent = (
        f"Mozilla/5.0 (Linux; Android 15; {device}) AppleWebKit/537.36 (KHTML, like Gecko) Version/4.0"
        f" Chrome/136.0.7103.60 Mobile Safari/537.36{in_app}"
    )
    assert kind_of(agent) == PERSON, maker


@pytest.mark.parametrize(
    "agent",
    [
        "Mozilla/5.0 (Linux; Android 15; compatible; GoogleOther) AppleWebKit/537.36 Chrome/136.0 Mobile Safari/537.36",
        "Mozilla/5.0 (Linux; Android 7.0; Bytespider; spider-feedback@bytedance.com) AppleWebKit/537.36",
        "Mozilla/5.0 (Linux; Android 6.0.1; Nexus 5X Build/MMB29P) AppleWebKit/537.36 (compatible; AdsBot-Google-Mobile)",
        "Mozilla/5.0 (Linux; Android 8.0; Pixel 2 Build/OPD3.170816.012; Storebot-Google/1.0) AppleWebKit/537.36",
    ],
)
def test_crawler_that_claims_to_be_a_phone_is_a_crawler(agent: str) -> None:
    assert kind_of(agent) == BOT
