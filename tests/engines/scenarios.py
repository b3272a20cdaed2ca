"""What a visitor does, and what becomes of the event; each scenario runs in every engine."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from tests.engines.webdriver import Browser

__all__ = ["SCENARIOS", "Act", "Scenario", "Visit"]

_FETCH = "fetch(arguments[0], arguments[1]); return 1"
_GRANT, _REVOKE = "tiktok.grantConsent()", "tiktok.revokeConsent()"


@dataclass(frozen=True)
class Visit:
    """One run of a scenario, on a domain of its own.

    Attributes:
        browser: the browser.
        number: of the scenario.
        settle: waits until the page's scripts are there.
        slow: makes TikTok's script wait for so many milliseconds.
    """

    browser: Browser
    number: int
    settle: Callable[[], None]
    slow: Callable[[int], None]

    @property
    def event(self) -> str:
        """Name of the event that the scenario tracks."""
        return f"Engine{self.number}"

    def url(self, path: str, host: str = "www") -> str:
        """Return the address of a path; ``EVENT`` stands for the event's name."""
        domain = f"{'bank' if host == 'bank' else 'shop'}{self.number}.example"
        return f"https://{'www' if host == 'bank' else host}.{domain}{path.replace('EVENT', self.event)}"

    def open(self, path: str, host: str = "www") -> None:
        """Open a page and wait for its scripts."""
        self.browser.open(self.url(path, host))
        self.settle()

    def fetch(self, path: str, host: str = "www", **options: str) -> None:
        """Let the page ask for something."""
        self.browser.run(_FETCH, self.url(path, host), options)

    def run(self, script: str) -> None:
        """Run a script in the page; ``EVENT`` stands for the event's name, ``API`` for the address of another host."""
        self.browser.leave(script.replace("EVENT", self.event).replace("API", self.url("", "api")))


#: What a visitor does.
Act = Callable[[Visit], None]


@dataclass(frozen=True)
class Scenario:
    """A scenario and its expected result.

    Attributes:
        name: in words, for the table.
        act: what the visitor does.
        expected: ``matched``, ``server: REASON`` or ``none: REASON``; several, joined by ``or``, if the moment decides.
        engines: other results of single engines.
        consent: the site's ``TIKTOK_CONSENT``.
        mode: one of ``MODES``.
    """

    name: str
    act: Act
    expected: str = "matched"
    engines: Mapping[str, str] = field(default_factory=dict)
    consent: str = "implied"
    mode: str = "usual"

    def expected_in(self, engine: str) -> str:
        """Return the expected result in an engine."""
        return self.engines.get(engine, self.expected)

    def is_expected(self, engine: str, seen: str) -> bool:
        """Return whether a result is one that is expected in an engine."""
        return seen in self.expected_in(engine).split(" or ")


def _page(path: str) -> Act:
    return lambda visit: visit.open(path)


def _fetched(path: str, host: str = "www", **options: str) -> Act:
    def act(visit: Visit) -> None:
        visit.open("/page")
        visit.fetch(path, host, **options)

    return act


def _fetched_then_page(path: str) -> Act:
    def act(visit: Visit) -> None:
        _fetched(path)(visit)
        visit.browser.wait_for("return /_tt_carry/.test(document.cookie)")
        visit.open("/page?next")

    return act


def _script(script: str) -> Act:
    return _then(_page("/page"), script)


def _then(first: Act, *scripts: str) -> Act:
    def act(visit: Visit) -> None:
        first(visit)
        for script in scripts:
            visit.run(script)

    return act


def _opened_twice(visit: Visit) -> None:
    for _ in range(2):
        visit.open("/page?event=EVENT&once=EVENT")


def _reloaded(visit: Visit) -> None:
    visit.open("/page?event=EVENT&once=EVENT")
    visit.browser.reload()
    visit.settle()


def _there_and_back(visit: Visit) -> None:
    visit.open("/page?event=EVENT")
    visit.open("/page")
    visit.browser.back()
    visit.settle()


def _restored_before_pixel(visit: Visit) -> None:
    visit.slow(4000)
    visit.browser.open(visit.url("/page?event=EVENT"))
    visit.browser.open(visit.url("/page"))
    visit.browser.back()
    visit.slow(30)
    visit.settle()


def _download(visit: Visit) -> None:
    visit.open("/page")
    visit.run("location.href = '/download?event=EVENT'")
    visit.browser.wait_for("return /_tt_carry/.test(document.cookie)")
    visit.open("/page")
    visit.open("/page")


def _from_bank(path: str) -> Act:
    def act(visit: Visit) -> None:
        visit.open("/page?ttclid=E.C.P.click")
        visit.browser.open(visit.url("/form?to=", "bank") + visit.url(path).replace("?", "%3F"))
        visit.browser.wait_for("return location.hostname.startsWith('www.shop')")
        visit.settle()

    return act


def _leaving(visit: Visit) -> None:
    visit.open("/page")
    visit.run("fetch('/answer?event=EVENT', {method: 'POST', keepalive: true}); location.href = '/page?next'")
    visit.browser.wait_for("return location.search === '?next'")
    visit.settle()


def _choice(script: str, path: str, host: str = "www") -> Act:
    """Choose on one page, then open another one."""

    def act(visit: Visit) -> None:
        visit.open("/page")
        visit.run(script)
        visit.browser.wait_for("return /_tt_consent/.test(document.cookie)")
        visit.open(path, host)

    return act


def _choice_then_fetch(script: str) -> Act:
    return _then(_choice(script, "/page"), "fetch('/answer?event=EVENT')")


_RECEIVED = "fetch('%s/answer?event=EVENT', {credentials: 'include'}).then(answer => tiktok.receive(answer))"
_WORKER = "window.worker = new Worker('/worker.js'); %s; worker.postMessage('/answer?event=EVENT')"
_WORKER_PASSED_ON = _WORKER % "worker.onmessage = message => tiktok.receive(message.data)"
_XHR = "const x = new XMLHttpRequest(); x.open('GET', '/answer?event=EVENT'); x.send()"
_FORM = (
    "document.body.innerHTML = '<form method=post action=\"/redirect?event=EVENT\"></form>';document.forms[0].submit()"
)
_INSERTED = (
    "const s = document.createElement('script'); s.text = \"fetch('/answer?event=EVENT')\"; document.head.append(s)"
)
_NEW_FRAME = "const f = document.createElement('iframe'); f.src = '/page?event=EVENT'; document.body.append(f)"
_UNHEARD = {"webkit": "server: browser_answer_unheard"}
_UNKNOWN, _DENIED = "none: consent_unknown", "none: denied"
#: Firefox sends Global Privacy Control from private windows.
_PRIVATE = {"firefox": "none: gpc"}
#: What no counter tells: no page hears of the answer.
_UNCOUNTED = "server: silent"
_NO_COOKIES = "server: browser_no_cookies"
_COOKIELESS = {"redirect": _NO_COOKIES, "redirect with a large order": _NO_COOKIES}

_BASIC = [
    ("event on a page", _page("/page?event=EVENT")),
    ("page with a nonce policy", _page("/secured?event=EVENT")),
    ("page without document tags", _page("/bare?event=EVENT")),
    ("page in a frame", _page("/framed?event=EVENT")),
    ("page that caches may keep", _page("/shared/EVENT")),
    ("redirect", _page("/redirect?event=EVENT")),
    ("redirect with a large order", _page("/redirect?event=EVENT&large=1")),
    ("fetch", _fetched("/answer?event=EVENT")),
    ("fetch with POST", _fetched("/answer?event=EVENT", method="POST")),
    ("fetch with a large order", _fetched("/answer?event=EVENT&large=1")),
    ("XMLHttpRequest", _script(_XHR)),
    ("once event, page opened again", _opened_twice),
    ("page loaded again", _reloaded),
    ("there and back", _there_and_back),
    ("bank's POST return with redirect", _from_bank("/redirect?event=EVENT")),
    ("bank's POST return with a page", _from_bank("/page?event=EVENT")),
]

SCENARIOS: list[Scenario] = [
    *(Scenario(name, act) for name, act in _BASIC),
    Scenario("two redirects", _page("/twice?event=EVENT")),
    Scenario("form with POST and redirect", _script(_FORM)),
    Scenario("download, then a page", _download),
    Scenario("fetch of 204", _fetched("/empty?event=EVENT")),
    Scenario("fetch of 404", _fetched("/answer?event=EVENT&status=404")),
    Scenario("fetch of 500", _fetched("/answer?event=EVENT&status=500"), "none: request_failed"),
    Scenario("fetch of a part of a page", _fetched("/fragment?event=EVENT")),
    Scenario("fetch before the helper is there", _page("/early?event=EVENT")),
    Scenario("fetch without reading the answer", _fetched("/answer?event=EVENT", mode="no-cors")),
    Scenario("answer from the cache", _then(_fetched("/cached?event=EVENT"), "fetch('/cached?event=EVENT')")),
    Scenario("fetch, answer also passed on", _script(_RECEIVED % "")),
    Scenario("fetch of another host", _fetched("/answer?event=EVENT", "api", credentials="include"), engines=_UNHEARD),
    Scenario("fetch of another host, passed on", _script(_RECEIVED % "API")),
    Scenario(
        "fetch of a host without CORS",
        _fetched("/answer?event=EVENT", "bank", mode="no-cors"),
        "server: browser_other_origin",
    ),
    Scenario("worker", _script(_WORKER % ""), "server: browser_answer_unheard"),
    Scenario("worker, passed on", _script(_WORKER_PASSED_ON)),
    Scenario("beacon", _script("navigator.sendBeacon('/answer?event=EVENT')")),
    Scenario("fetch while leaving", _leaving, f"matched or {_UNCOUNTED}"),
    Scenario("event of the page's own", _script("tiktok.track('EVENT', {value: 5})")),
    Scenario("restored before the pixel came", _restored_before_pixel),
    # Consent is required.
    Scenario("no choice", _page("/page?event=EVENT"), _UNKNOWN, consent="required"),
    Scenario("no choice, fetch", _fetched("/answer?event=EVENT"), _UNKNOWN, consent="required"),
    Scenario("no choice, redirect", _page("/redirect?event=EVENT"), _UNKNOWN, consent="required"),
    Scenario("no choice, then a grant", _then(_page("/page?event=EVENT"), _GRANT), consent="required"),
    Scenario("no choice, fetch, then a grant", _then(_fetched("/answer?event=EVENT"), _GRANT), consent="required"),
    Scenario(
        "no choice, redirect, then a grant", _then(_page("/redirect?event=EVENT"), _GRANT), _UNKNOWN, consent="required"
    ),
    Scenario("grant, page", _choice(_GRANT, "/page?event=EVENT"), consent="required"),
    Scenario("grant, redirect", _choice(_GRANT, "/redirect?event=EVENT"), consent="required"),
    Scenario("grant, fetch", _choice_then_fetch(_GRANT), consent="required"),
    Scenario("grant, page of another host", _choice(_GRANT, "/page?event=EVENT", "m"), consent="required"),
    Scenario("refusal, page", _choice(_REVOKE, "/page?event=EVENT"), _DENIED, consent="required"),
    Scenario("refusal, redirect", _choice(_REVOKE, "/redirect?event=EVENT"), _DENIED, consent="required"),
    Scenario("refusal, fetch", _choice_then_fetch(_REVOKE), _DENIED, consent="required"),
    Scenario("refusal, page of another host", _choice(_REVOKE, "/page?event=EVENT", "m"), _DENIED, consent="required"),
    Scenario("refusal without need of consent", _choice(_REVOKE, "/page?event=EVENT"), _DENIED),
    Scenario("refusal, other host, no need of consent", _choice(_REVOKE, "/page?event=EVENT", "m"), _DENIED),
    # A private window.
    *(Scenario(f"{name} (private window)", act, engines=_PRIVATE, mode="private") for name, act in _BASIC),
    # The browser takes no cookies.
    *(
        Scenario(f"{name} (no cookies)", act, _COOKIELESS.get(name, "matched"), mode="no cookies")
        for name, act in _BASIC
    ),
    Scenario("fetch of another host, passed on (no cookies)", _script(_RECEIVED % "API"), mode="no cookies"),
    Scenario(
        "no choice, then a grant (no cookies)",
        _then(_page("/page?event=EVENT"), _GRANT),
        consent="required",
        mode="no cookies",
    ),
    Scenario("worker, passed on (no cookies)", _script(_WORKER_PASSED_ON), mode="no cookies"),
    Scenario("two redirects (no cookies)", _page("/twice?event=EVENT"), _NO_COOKIES, mode="no cookies"),
    Scenario("form with POST and redirect (no cookies)", _script(_FORM), _NO_COOKIES, mode="no cookies"),
    Scenario(
        "fetch that follows a redirect (no cookies)", _fetched("/redirect?event=EVENT"), _NO_COOKIES, mode="no cookies"
    ),
    Scenario(
        "bank's POST return with redirect, large order (no cookies)",
        _from_bank("/redirect?event=EVENT%26large=1"),
        mode="no cookies",
    ),
    Scenario(
        "bank's POST return with redirect, then a grant (no cookies)",
        _then(_from_bank("/redirect?event=EVENT"), _GRANT),
        consent="required",
        mode="no cookies",
    ),
    # More ways in which pages ask.
    Scenario("fetch that follows a redirect, then a page", _fetched_then_page("/redirect?event=EVENT")),
    Scenario("fetch that outlives its page, which stays", _script("fetch('/answer?event=EVENT', {keepalive: true})")),
    Scenario(
        "fetch after a route change", _script("history.pushState({}, '', '/page?route'); fetch('/answer?event=EVENT')")
    ),
    Scenario("fetch by an inserted script", _script(_INSERTED)),
    Scenario(
        "worker as a module",
        _script(_WORKER.replace("'/worker.js'", "'/worker.js', {type: 'module'}") % ""),
        "server: browser_answer_unheard",
    ),
    Scenario("page opened by a script in a new frame", _script(_NEW_FRAME)),
]
