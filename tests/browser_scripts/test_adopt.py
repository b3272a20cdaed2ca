"""TIKTOK_SNIPPET=adopt: beside another base code of the page nothing is lost or counted twice, in a small browser."""

from __future__ import annotations

from typing import Any

import pytest

from tests.browser_scripts.page_world import CONTACT, PURCHASE, names, run, snippet
from tests.core.core_world import PIXEL
from tiktok_middleware import Config, ConfigError
from tiktok_middleware._wiring import base_code

pytestmark = pytest.mark.node

PIXEL_JS, STUB_JS = base_code("adopt")
MADE = snippet(base=(PIXEL_JS, STUB_JS))
PAGE = MADE.page("", page=True, copies=[PURCHASE])
TRACKED = ["track", "Purchase", PURCHASE[1], {"event_id": "id-1"}]

# What a base code does: it makes the methods anew, replaces the queue of its pixel, and counts the page view of all.
BASE = """(function () {
  var q = window.ttq = window.ttq || [];
  q.setAndDefer = function (target, name) { target[name] = function () { target.push([name].concat([].slice.call(arguments))); }; };
  ['page', 'track', 'ready', 'identify'].forEach(function (name) { q.setAndDefer(q, name); });
  q.instance = function (id) { var one = q._i[id] || []; q.setAndDefer(one, 'track'); q.setAndDefer(one, 'page'); return one; };
  q.load = function (id) {
    (q._i = q._i || {})[id] = []; (q._t = q._t || {})[id] = +new Date() + 1;
    var s = document.createElement('script'), first = document.getElementsByTagName('script')[0];
    s.src = 'https://analytics.tiktok.com/i18n/pixel/events.js?sdkid=' + id + '&lib=ttq';
    first.parentNode.insertBefore(s, first);
  };
  q.load('%s');
  q.page();
})();"""
AFTER = BASE % PIXEL
OTHER = BASE % "C9999999999999999999"
LEAVE = ("dispatch", "pagehide")
ARRIVE = ("arrive", 1)
TICK = ("tick", 1)


def test_alone_it_loads_the_pixel_and_counts_the_page_view_in_the_end() -> None:
    diary = run(PAGE, made=MADE, steps=[ARRIVE, LEAVE])
    assert [entry["src"].split("sdkid=")[1] for entry in diary["loaded"]] == [f"{PIXEL}&lib=ttq"]
    assert names(diary) == ["track", "page"]


@pytest.mark.parametrize("steps", [[("run", AFTER), TICK, ARRIVE, LEAVE], [("run", OTHER), TICK, ARRIVE, LEAVE]])
def test_base_code_that_runs_later_counts_the_page_view(steps: list[Any]) -> None:
    queue = run(PAGE, made=MADE, helper=True, steps=steps)["queue"]
    assert sorted(call[0] for call in queue) == ["page", "track"]
    assert TRACKED in queue


@pytest.mark.parametrize("before", [AFTER, OTHER])
def test_base_code_that_ran_before_counts_the_page_view(before: str) -> None:
    diary = run(PAGE, made=MADE, before=before, steps=[ARRIVE, LEAVE])
    assert names(diary).count("page") == 1
    assert TRACKED in diary["queue"]
    # The page's own function loads a pixel that it does not have.
    assert len(diary["loaded"]) == (1 if before == AFTER else 2)


def test_event_that_waits_in_a_replaced_queue_goes_once() -> None:
    diary = run(PAGE, made=MADE, helper=True, steps=[("run", AFTER), TICK, TICK, ARRIVE, ARRIVE, LEAVE])
    assert diary["queue"].count(TRACKED) == 1


def test_matched_page_views_are_refused() -> None:
    with pytest.raises(ConfigError, match="TIKTOK_PAGE_VIEW is 'matched'; allowed: browser or off while"):
        Config(pixel_id="A", snippet="adopt", page_view="matched")


def test_an_embedded_document_is_no_page_view() -> None:
    assert names(run(MADE.page("", page=False, copies=[CONTACT]), made=MADE, steps=[ARRIVE, LEAVE])) == ["track"]
