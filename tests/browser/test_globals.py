"""Nothing of the page's own is wrapped, replaced or added, but for the three names that the pixel and we are known by."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.browser.conftest import MakeVisitor
from tests.browser.servers import Server

pytestmark = pytest.mark.browser

# Walks the window, its constructors and their prototypes: what is there, and the source of each function as an untouched
# frame's own `toString` gives it.
FINGERPRINT = """() => {
  const frame = document.body.appendChild(document.createElement('iframe'));
  const source = frame.contentWindow.Function.prototype.toString;
  const found = {}, seen = new Set();
  const note = (path, value, depth) => {
    if (value === null || !['object', 'function'].includes(typeof value) || seen.has(value)) return;
    seen.add(value);
    if (typeof value === 'function') found[path + '()'] = source.call(value);
    for (const key of Reflect.ownKeys(value)) {
      const own = Object.getOwnPropertyDescriptor(value, key), name = path + '.' + String(key);
      found[name] = [typeof own.value, own.writable, own.enumerable, own.configurable].join(' ');
      for (const access of ['get', 'set']) if (own[access]) found[name + ' ' + access] = source.call(own[access]);
      if (depth) note(name, own.value, depth - 1);
    }
  };
  note('window', window, 3);
  for (let one = Object.getPrototypeOf(window); one; one = Object.getPrototypeOf(one)) note('window proto', one, 1);
  note('document', document, 1);
  note('history', history, 1);
  note('localStorage', localStorage, 0);
  frame.remove();
  return found;
}"""
NATIVE = (
    "fetch",
    "XMLHttpRequest.prototype.open",
    "XMLHttpRequest.prototype.send",
    "History.prototype.pushState",
    "History.prototype.replaceState",
    "Function.prototype.toString",
    "Function.prototype.call",
    "Function.prototype.apply",
    "EventTarget.prototype.addEventListener",
    "Navigator.prototype.sendBeacon",
)
OURS = ("window.ttq", "window.tiktok", "window.TiktokAnalyticsObject")


def test_no_global_is_patched(shops: Callable[[str], Server], plain_shop: Server, visit: MakeVisitor) -> None:
    path = "/products/morning-mug"
    plain = visit(plain_shop)
    plain.open(path, patient=False)
    plain.page.wait_for_load_state("load")
    expected = plain.page.evaluate(FINGERPRINT)
    for name in NATIVE:
        assert "[native code]" in expected[f"window.{name}()"], "the walk must have come there"
    assert "[native code]" in expected["window.Document.prototype.cookie set"]

    visitor = visit(shops("starlette"))
    # TikTok's own script wraps the history; this is about ours.
    visitor.context.route("**/events.js*", lambda route: route.fulfill(body="", content_type="text/javascript"))
    visitor.open(path, patient=False)
    visitor.page.wait_for_function("window.tiktok && tiktok.listens")
    visitor.add_to_cart()
    visitor.sandbox.await_events("AddToCart")
    found = visitor.page.evaluate(FINGERPRINT)
    added = {key for key in found.keys() - expected.keys() if not key.startswith(OURS)}
    assert added == set()
    assert {key: found.get(key) for key in expected} == expected
    assert {key for key in found if key in OURS} == set(OURS)
