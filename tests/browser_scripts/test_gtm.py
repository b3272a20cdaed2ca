"""TIKTOK_SNIPPET=gtm: the inline script pushes events to `dataLayer` and loads nothing, in a small browser."""

from __future__ import annotations

import gzip
import json
from typing import Any
from urllib.parse import unquote

import pytest

from tests.browser_scripts.page_world import CONTACT, PURCHASE, run, snippet
from tests.core.core_world import PIXEL
from tiktok_middleware import Config, ConfigError
from tiktok_middleware._wiring import base_code

pytestmark = pytest.mark.node

PIXEL_JS, STUB_JS = base_code("gtm")
MADE = snippet(base=(PIXEL_JS, STUB_JS))
LAYER = (
    "run",
    "window.layer = JSON.stringify(window.dataLayer); document.cookie = 'layer=' + encodeURIComponent(layer)",
)


def pushed(*html: bytes, steps: Any = (), **plan: Any) -> list[dict[str, Any]]:
    """The entries of `dataLayer` after the page's scripts and the steps."""
    diary = run(*html, made=MADE, steps=[*steps, LAYER], **plan)
    assert diary["loaded"] == []
    assert diary["queue"] is None
    found: list[dict[str, Any]] = json.loads(unquote(diary["cookies"]["layer"]))
    return found


def words(entries: list[dict[str, Any]]) -> list[str]:
    return [entry["event"] for entry in entries if "event" in entry]


def test_event_goes_with_its_id_contents_and_hashes() -> None:
    identity = {"sha256_email": "ab" * 32, "external_id": "cd" * 32}
    entries = pushed(MADE.page("", page=False, identity=identity, copies=[PURCHASE]))
    assert words(entries) == ["tiktok.consent", "Purchase"]
    assert entries[0]["tiktok_pixel_codes"] == [PIXEL]
    made = next(entry for entry in entries if entry.get("event") == "Purchase")
    assert made["tiktok"]["event_id"] == "id-1"
    assert made["tiktok"]["properties"] == PURCHASE[1]
    assert made["tiktok"]["identity"] == identity
    assert made["ecommerce"] == {"value": 59.9, "currency": "EUR", "items": [{"item_id": "SKU-1"}]}
    assert made["user_data"] == {"sha256_email_address": "ab" * 32}
    assert made["tt_external_id"] == "cd" * 32
    assert entries[-1] == dict.fromkeys(["tiktok", "tt_content_type", "tt_external_id", "ecommerce", "user_data"])


def test_event_is_pushed_once_in_a_tab() -> None:
    page = MADE.page("", page=False, copies=[PURCHASE, CONTACT])
    assert words(pushed(page, page)).count("Purchase") == 1
    assert "Purchase" not in words(pushed(page, session={"tiktok:id-1": "1"}))


def test_event_counts_as_fired_when_tag_manager_has_taken_it() -> None:
    page = MADE.page("", page=False, copies=[PURCHASE], clear_cookies=["_tt_carry.1"])
    kept = {"_tt_carry.1": "token"}
    assert run(page, made=MADE, cookies=kept)["cookies"] == kept
    took = ("run", "dataLayer.forEach(entry => entry.eventCallback && entry.eventCallback())")
    diary = run(page, made=MADE, cookies=kept, steps=[took])
    assert (diary["session"], diary["cookies"]) == ({"tiktok:id-1": "1"}, {})


def test_limited_data_use_is_set_on_each_event() -> None:
    entries = pushed(MADE.page("", page=False, limited=True, copies=[CONTACT]))
    assert entries[0]["tiktok_limited_data_use"] is True
    assert next(one for one in entries if one.get("event") == "Contact")["tiktok"]["properties"] == {
        "limited_data_use": True
    }


def test_refused_page_pushes_the_refusal_alone() -> None:
    assert pushed(MADE.refused("")) == [{"event": "tiktok.consent", "tiktok_consent": "denied"}]


def test_refusal_before_tag_manager_has_come_takes_back_what_waits() -> None:
    page = MADE.page("", page=False, copies=[PURCHASE, CONTACT])
    refuse = ("run", "tiktok.revokeConsent()")
    entries = pushed(page, steps=[refuse])
    assert [entry["tiktok_consent"] for entry in entries] == ["denied"]

    again = pushed(
        page, helper=True, steps=[refuse, ("run", "tiktok.grantConsent()")], answers=[{"load": False}, {"load": True}]
    )
    assert [entry["tiktok_consent"] for entry in again if "tiktok_consent" in entry] == ["denied", "granted"]
    assert [word for word in words(again) if word != "tiktok.consent"] == ["Purchase", "Contact"]


def test_refusal_after_tag_manager_has_come_leaves_what_it_has_read() -> None:
    taken = ("run", "dataLayer.push = entry => Array.prototype.push.call(dataLayer, entry)")
    entries = pushed(MADE.page("", page=False, copies=[PURCHASE]), steps=[taken, ("run", "tiktok.revokeConsent()")])
    assert words(entries) == ["tiktok.consent", "Purchase", "tiktok.consent"]


@pytest.mark.parametrize("plan", [{"gpc": True}, {"cookies": {"_tt_consent": "d"}}])
def test_gate_of_a_shared_page_holds_the_events_back(plan: dict[str, Any]) -> None:
    diary = run(MADE.page("", page=False, gate=1, copies=[PURCHASE]), made=MADE, **plan)
    assert "dataLayer" not in diary["globals"]


def test_array_that_the_page_has_replaced_gets_the_entries() -> None:
    page = MADE.page("", page=False, copies=[PURCHASE])
    entries = pushed(page, steps=[("run", "window.dataLayer = [{own: 1}];"), ("dispatch", "DOMContentLoaded")])
    assert entries[0] == {"own": 1}
    assert words(entries) == ["tiktok.consent", "Purchase"]


def test_values_of_the_page_are_put_back() -> None:
    before = "window.dataLayer = [{ecommerce: {value: 1}}, {user_data: {email_address: 'x'}}];"
    entries = pushed(MADE.page("", page=False, copies=[PURCHASE]), before=before)
    assert entries[-1] == {"ecommerce": {"value": 1}, "user_data": {"email_address": "x"}}


UNUSABLE = {
    "frozen": "window.dataLayer = Object.freeze([])",
    "sealed": "window.dataLayer = Object.seal([])",
    "number": "window.dataLayer = 5",
    "text": "window.dataLayer = 'text'",
    "function": "window.dataLayer = function () {}",
    "push of nothing": "window.dataLayer = {push: null}",
    "push that throws": "window.dataLayer = {push: function () { throw 1; }}",
    "array with a push that throws": "window.dataLayer = []; dataLayer.push = function () { throw 1; }",
    "array-like": "window.dataLayer = {length: 0, push: function () {}}",
    "array-like with the push of arrays": "window.dataLayer = {length: 0, push: [].push}",
    "getter that throws": "Object.defineProperty(window, 'dataLayer', {configurable: true, get: function () { throw 1; }})",
    "getter of a new array": "Object.defineProperty(window, 'dataLayer', {configurable: true, get: function () { return []; }})",
    "proxy that throws": "window.dataLayer = new Proxy([], {get: function () { throw 1; }})",
    "element": "window.dataLayer = document.createElement('img')",
}
WARNS = "window.console = {warn: function (text) { document.cookie = 'warned=' + text.length + '-' + (window.count = (window.count || 0) + 1); }};"
REMOVE = ("run", "Object.defineProperty(window, 'dataLayer', {configurable: true, value: undefined})")


@pytest.mark.parametrize("at", ["before", "after"])
@pytest.mark.parametrize("layer", [pytest.param(code, id=name) for name, code in UNUSABLE.items()])
def test_unusable_layer_throws_nothing_warns_once_and_keeps_a_refusal(layer: str, at: str) -> None:
    """Before our script, or in the place of the array that it has made."""
    steps: list[Any] = [("run", layer)] if at == "after" else []
    steps += [("run", "tiktok.emit([['Contact', {}, 'id-3']])"), ("run", "tiktok.revokeConsent()"), ("tick", 1), REMOVE]
    before = WARNS + (layer if at == "before" else "")
    diary = run(MADE.page("", page=False, copies=[PURCHASE]), made=MADE, helper=True, before=before, steps=steps)
    assert diary["cookies"]["warned"].endswith("-1")
    assert diary["cookies"]["_tt_consent"] == "d"
    assert diary["loaded"] == []


@pytest.mark.parametrize(
    "layer",
    [
        "window.dataLayer = new Proxy([], {})",
        "Object.defineProperty(window, 'dataLayer', {writable: false, value: [{own: 1}]})",
        "var kept = []; Object.defineProperty(window, 'dataLayer', {get: function () { return kept; }})",
        "window.dataLayer = [null, undefined, 5, 'text', ['consent', 'default'], {own: 1}]",
        "window.dataLayer = [{get ecommerce() { throw 1; }}]",
        "class Layer extends Array {} window.dataLayer = new Layer()",
    ],
)
def test_unusual_array_gets_the_events(layer: str) -> None:
    look = (
        "run",
        "document.cookie = 'words=' + dataLayer.filter(one => one && one.event).map(one => one.event).join('-')",
    )
    diary = run(MADE.page("", page=False, copies=[PURCHASE]), made=MADE, before=WARNS + layer, steps=[look])
    assert diary["cookies"] == {"words": "tiktok.consent-Purchase"}


def test_matched_page_views_are_refused() -> None:
    with pytest.raises(ConfigError, match="TIKTOK_PAGE_VIEW is 'matched'; allowed: browser or off while"):
        Config(pixel_id="A", snippet="gtm", page_view="matched")


def test_script_is_small() -> None:
    assert len(gzip.compress(MADE.page("", page=False), 9)) < 3 * 1024
