"""The four tables of what happens to which response; the expected cells are typed by hand."""

from __future__ import annotations

from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.core.core_world import DOORS, FETCH, NAVIGATION, NOW, MakeRequest, scope_request
from tiktok_middleware.core.http.response_head import Head
from tiktok_middleware.core.response.policy import Audience, Codec, Place, Plan, Timing, plan

REQUESTS = {
    "navigation": NAVIGATION,
    "old navigation": {"accept": "text/html,application/xhtml+xml,*/*;q=0.8"},  # no Fetch Metadata
    "iframe": {"sec-fetch-mode": "navigate", "sec-fetch-dest": "iframe"},
    "frame": {"sec-fetch-mode": "navigate", "sec-fetch-dest": "frame"},
    "embed": {"sec-fetch-mode": "no-cors", "sec-fetch-dest": "embed"},
    "object": {"sec-fetch-mode": "no-cors", "sec-fetch-dest": "object"},
    "fetch": FETCH,
    "old fetch": {"accept": "*/*"},
    "htmx": {**FETCH, "hx-request": "true"},
    "old htmx": {"accept": "text/html, */*", "hx-request": "true"},
    "xhr": {"accept": "text/html", "x-requested-with": "XMLHttpRequest"},
    "turbo": {**FETCH, "accept": "text/html, application/xhtml+xml", "turbo-frame": "cart"},
    "worker": {"sec-fetch-mode": "navigate", "sec-fetch-dest": "empty"},  # a service worker re-fetches a navigation
    "image": {"sec-fetch-mode": "no-cors", "sec-fetch-dest": "image"},
}
COLUMNS = list(REQUESTS)

# D document, E embedded, A answer, C carry, - untouchable; one letter for each request above, in order.
TABLE = """
200 text/html                      DDEEEEDDAAAADD
200 TEXT/HTML;Charset=UTF-8        DDEEEEDDAAAADD
404 text/html                      DDEEEEDDAAAADD
500 text/html                      DDEEEEDDAAAADD
201 text/html                      DDEEEEDDAAAADD
204 text/html                      CCCCCCAAAAAACA
205 text/html                      CCCCCCAAAAAACA
204                                CCCCCCAAAAAACA
301 text/html                      CCCCCCCCCCCCCC
302 text/html                      CCCCCCCCCCCCCC
303                                CCCCCCCCCCCCCC
307                                CCCCCCCCCCCCCC
200 application/json               CCCCCCAAAAAACA
422 application/problem+json       CCCCCCAAAAAACA
200 text/plain                     CCCCCCAAAAAACA
200 text/htmlx                     CCCCCCAAAAAACA
200 image/svg+xml                  CCCCCCAAAAAACA
200 image/png                      CCCCCCAAAAAACA
200                                CCCCCCAAAAAACA
200 application/xhtml+xml          CCCCCC------C-
200 text/event-stream              --------------
200 text/event-stream;charset=utf-8 --------------
206 text/html                      --------------
206 application/pdf                --------------
304                                --------------
304 text/html                      --------------
101                                --------------
103 text/html                      --------------
"""
LETTERS = {"D": Place.DOCUMENT, "E": Place.EMBEDDED, "A": Place.ANSWER, "C": Place.CARRY, "-": Place.UNTOUCHABLE}


def rows() -> list[tuple[int, str, str, Place]]:
    found = []
    for line in TABLE.strip().splitlines():
        cells = line.rsplit(None, 1)[-1]
        status, _, content_type = line[: -len(cells)].strip().partition(" ")
        assert len(cells) == len(COLUMNS), line
        found += [
            (int(status), content_type.strip(), kind, LETTERS[cell]) for kind, cell in zip(COLUMNS, cells, strict=True)
        ]
    return found


def place(
    status: int, head: Head, headers: dict[str, str], method: str = "GET", make: MakeRequest = scope_request
) -> Place:
    return plan(status, head, make("/", headers, method=method), now_s=NOW).place


@pytest.mark.parametrize(("status", "content_type", "kind", "expected"), rows())
def test_where_a_browser_copy_can_go(status: int, content_type: str, kind: str, expected: Place) -> None:
    for make in DOORS:
        assert place(status, Head(content_type=content_type), REQUESTS[kind], make=make) is expected


@pytest.mark.parametrize("kind", COLUMNS)
def test_a_head_request_is_untouched(kind: str) -> None:
    for status, content_type in product((200, 302), ("text/html", "application/json")):
        assert place(status, Head(content_type=content_type), REQUESTS[kind], "HEAD") is Place.UNTOUCHABLE


@pytest.mark.parametrize("kind", COLUMNS)
@pytest.mark.parametrize("cache_control", ["no-transform", "public, No-Transform , max-age=1", 'x="a,b",no-transform'])
def test_a_body_that_must_not_be_transformed_is_not(kind: str, cache_control: str) -> None:
    found = place(200, Head(content_type="text/html", cache_control=cache_control), REQUESTS[kind])
    navigations = {"navigation", "old navigation", "iframe", "frame", "embed", "object", "worker"}
    assert found is (Place.CARRY if kind in navigations else Place.UNTOUCHABLE)


@pytest.mark.parametrize(
    ("disposition", "kind", "expected"),
    [
        ("attachment", "navigation", Place.CARRY),
        ("ATTACHMENT; filename=a.html", "navigation", Place.CARRY),
        (" attachment", "old navigation", Place.CARRY),
        ("attachment", "fetch", Place.ANSWER),
        ("inline", "navigation", Place.DOCUMENT),
        ('inline; filename="attachment.html"', "navigation", Place.DOCUMENT),
    ],
)
def test_a_download_is_no_page(disposition: str, kind: str, expected: Place) -> None:
    assert place(200, Head(content_type="text/html", content_disposition=disposition), REQUESTS[kind]) is expected


@pytest.mark.parametrize("app", ["com.zhiliaoapp.musically", "com.ss.android.ugc.trill"])
@pytest.mark.parametrize("kind", ["navigation", "old navigation", "worker", "iframe"])
def test_an_app_that_names_itself_opens_whole_pages(kind: str, app: str) -> None:
    headers = {**REQUESTS[kind], "x-requested-with": app}
    plans = [
        plan(200, Head(content_type="text/html"), scope_request("/", asked), now_s=NOW)
        for asked in (headers, REQUESTS[kind])
    ]
    assert plans[0] == plans[1]


@pytest.mark.parametrize("kind", ["iframe", "frame", "embed", "object", "fetch", "htmx", "old htmx", "xhr", "turbo"])
def test_what_a_cache_keeps_does_not_depend_on_who_asked_first(kind: str) -> None:
    head = Head(content_type="text/html", cache_control="public, max-age=60")
    assert plan(200, head, scope_request("/", REQUESTS[kind]), now_s=NOW).place is Place.DOCUMENT


def test_each_place_but_the_plain_ones_has_its_reason() -> None:
    def reasons(status: int, headers: dict[str, str] = NAVIGATION, method: str = "GET", **head: str) -> tuple[str, ...]:
        return plan(status, Head(**head), scope_request("/", headers, method=method), now_s=NOW).reasons

    assert reasons(200, content_type="text/html") == ()
    assert reasons(200, FETCH, content_type="application/json") == ()
    assert reasons(200, REQUESTS["iframe"], content_type="text/html") == ("embedded",)
    assert reasons(200, REQUESTS["htmx"], content_type="text/html") == ("fragment",)
    assert reasons(302, FETCH) == ("redirect",)
    assert reasons(200, content_type="image/png") == ("no_place_here",)
    assert reasons(206) == ("partial",)
    assert reasons(101) == ("interim",)
    assert reasons(304) == ("not_modified",)
    assert reasons(200, method="HEAD") == ("head_request",)
    assert reasons(200, content_type="text/event-stream") == ("event_stream",)
    assert reasons(200, content_type="application/xhtml+xml") == ("xhtml",)
    assert reasons(200, content_type="text/html", cache_control="no-transform") == ("no_transform",)
    assert reasons(200, content_type="text/html", content_encoding="aes128gcm", cache_control="public") == (
        "encoded",  # once, although it explains both place and codec
        "cache_control",
    )
    assert reasons(200, {**NAVIGATION, "sec-purpose": "prefetch"}, content_type="text/html") == ("prefetch",)


# -- audience

ONE, SHARED = Audience.ONE, Audience.SHARED
LATER, EARLIER = (
    "Fri, 10 Oct 2025 08:53:20 GMT",
    "Thu, 09 Oct 2025 08:53:19 GMT",
)  # the clock stands at 08:53:20 on the 9th


@pytest.mark.parametrize(
    ("head", "audience", "reason"),
    [
        ({}, ONE, ""),
        ({"cache_control": "private"}, ONE, ""),
        ({"cache_control": "no-store"}, ONE, ""),
        ({"cache_control": "no-cache"}, ONE, ""),
        ({"cache_control": "must-revalidate"}, ONE, ""),
        ({"cache_control": "max-age=0"}, ONE, ""),
        ({"cache_control": "max-age=0, no-cache, no-store, must-revalidate, private"}, ONE, ""),
        ({"cache_control": "max-age=00"}, ONE, ""),
        ({"cache_control": "max-age=-1"}, ONE, ""),
        ({"cache_control": "private, max-age=600"}, ONE, ""),
        ({"cache_control": "max-age=600, PRIVATE"}, ONE, ""),
        ({"cache_control": "public, private"}, ONE, ""),
        ({"cache_control": "s-maxage=60, no-store"}, ONE, ""),
        ({"cache_control": "max-age=600, s-maxage=0"}, ONE, ""),
        ({"cache_control": "publicity, x-max-age=60"}, ONE, ""),
        ({"cache_control": "public"}, SHARED, "cache_control"),
        ({"cache_control": "Public, Max-Age=600"}, SHARED, "cache_control"),
        ({"cache_control": "public,max-age=0,must-revalidate"}, SHARED, "cache_control"),
        ({"cache_control": "max-age=600"}, SHARED, "cache_control"),
        ({"cache_control": 'max-age="600"'}, SHARED, "cache_control"),
        ({"cache_control": "max-age=600, no-cache"}, SHARED, "cache_control"),
        ({"cache_control": "max-age=soon"}, SHARED, "cache_control"),
        ({"cache_control": "s-maxage=60, max-age=0"}, SHARED, "cache_control"),
        ({"cache_control": "max-age=0, stale-while-revalidate=60"}, SHARED, "cache_control"),
        ({"cache_control": "max-age=0, stale-if-error=60"}, SHARED, "cache_control"),
        ({"cache_control": 'private="Set-Cookie", max-age=60'}, SHARED, "cache_control"),
        ({"cache_control": 'private="Set-Cookie, private", max-age=60'}, SHARED, "cache_control"),
        ({"targeted": "max-age=60"}, SHARED, "targeted_cache_control"),
        ({"targeted": "max-age=60", "cache_control": "private, no-store"}, SHARED, "targeted_cache_control"),
        ({"targeted": "public", "cache_control": "private"}, SHARED, "targeted_cache_control"),
        ({"targeted": "no-store", "cache_control": "max-age=60"}, SHARED, "cache_control"),
        ({"targeted": "no-store"}, ONE, ""),
        ({"targeted": "max-age=0"}, ONE, ""),
        ({"targeted": "max-age=3600", "cache_control": "private"}, SHARED, "targeted_cache_control"),
        ({"targeted": 'max-age=60+30, content="ESI/1.0"'}, SHARED, "targeted_cache_control"),
        ({"targeted": 'content="ESI/1.0"'}, ONE, ""),
        ({"x_accel_expires": "600"}, SHARED, "x_accel_expires"),
        ({"x_accel_expires": "0"}, ONE, ""),
        ({"expires": LATER}, SHARED, "expires"),
        ({"expires": LATER, "cache_control": "must-revalidate"}, SHARED, "expires"),
        ({"expires": LATER, "cache_control": "private"}, ONE, ""),
        ({"expires": LATER, "cache_control": "max-age=0"}, ONE, ""),
        ({"expires": LATER, "cache_control": "no-store"}, ONE, ""),
        ({"expires": EARLIER}, ONE, ""),
        ({"expires": "0"}, ONE, ""),
        ({"expires": "-1"}, ONE, ""),
        ({"expires": "tomorrow"}, ONE, ""),
    ],
)
def test_whether_a_shared_cache_may_keep_the_response(head: dict[str, str], audience: Audience, reason: str) -> None:
    found = plan(200, Head(content_type="text/html", **head), scope_request("/", NAVIGATION), now_s=NOW)
    assert found.audience is audience
    assert [word for word in found.reasons if word] == ([reason] if reason else [])


def test_the_apps_word_outranks_the_headers() -> None:
    request = scope_request("/", NAVIGATION)
    public, private = Head("text/html", cache_control="public"), Head("text/html", cache_control="private")
    assert plan(200, public, request, now_s=NOW, shared=False).audience is ONE
    assert plan(200, private, request, now_s=NOW, shared=True).audience is SHARED


@given(
    st.dictionaries(
        st.sampled_from(["cookie", "sec-gpc", "authorization", "user-agent"]), st.text("ab1;=", max_size=9)
    ),
)
def test_the_audience_depends_on_nothing_of_the_visitors(visitor: dict[str, str]) -> None:
    for cache_control in ("public, max-age=60", "private", ""):
        head = Head("text/html", cache_control=cache_control)
        bare = plan(200, head, scope_request("/", NAVIGATION), now_s=NOW)
        assert plan(200, head, scope_request("/", {**NAVIGATION, **visitor}), now_s=NOW) == bare


# -- codec


@pytest.mark.parametrize(
    ("encoding", "content_type", "codec", "expected"),
    [
        ("", "text/html", Codec.IDENTITY, Place.DOCUMENT),
        ("identity", "text/html", Codec.IDENTITY, Place.DOCUMENT),
        (" Identity ", "text/html", Codec.IDENTITY, Place.DOCUMENT),
        ("gzip", "text/html", Codec.CODED, Place.DOCUMENT),
        ("br", "text/html", Codec.CODED, Place.DOCUMENT),
        ("aes128gcm", "text/html", Codec.OPAQUE, Place.CARRY),
        ("", "text/html; charset=utf-8", Codec.IDENTITY, Place.DOCUMENT),
        ("", "text/html; charset=windows-1252", Codec.IDENTITY, Place.DOCUMENT),
        ("", "text/html; charset=Shift_JIS", Codec.IDENTITY, Place.DOCUMENT),
        ("", "text/html; charset=utf-16", Codec.OPAQUE, Place.CARRY),
        ("", 'text/html; charset="UTF-16LE"', Codec.OPAQUE, Place.CARRY),
        ("", "text/html; charset=utf-32", Codec.OPAQUE, Place.CARRY),
        ("", "text/html; charset=iso-2022-jp", Codec.OPAQUE, Place.CARRY),
    ],
)
def test_whether_the_body_can_be_read(encoding: str, content_type: str, codec: Codec, expected: Place) -> None:
    found = plan(200, Head(content_type, content_encoding=encoding), scope_request("/", NAVIGATION), now_s=NOW)
    assert (found.codec, found.place) == (codec, expected)


def test_an_answer_needs_no_body_that_can_be_read() -> None:
    head = Head("application/json", content_encoding="gzip")
    assert plan(200, head, scope_request("/", FETCH), now_s=NOW).place is Place.ANSWER


# -- timing


@pytest.mark.parametrize(
    ("headers", "timing"),
    [
        ({}, Timing.LIVE),
        ({"sec-purpose": "prefetch"}, Timing.PREFETCH),
        ({"sec-purpose": "prefetch;prerender"}, Timing.PREFETCH),
        ({"sec-purpose": "prefetch;anonymous-client-ip"}, Timing.PREFETCH),
        ({"purpose": "prefetch"}, Timing.PREFETCH),
        ({"purpose": "Prefetch"}, Timing.PREFETCH),
        ({"x-moz": "prefetch"}, Timing.PREFETCH),
        ({"x-purpose": "preview"}, Timing.PREFETCH),
        ({"x-sec-purpose": "prefetch"}, Timing.PREFETCH),  # Turbo, when the pointer comes over a link
        ({"purpose": "shopping"}, Timing.LIVE),
    ],
)
def test_whether_a_person_is_looking(headers: dict[str, str], timing: Timing) -> None:
    for make in DOORS:
        assert plan(200, Head("text/html"), make("/", {**NAVIGATION, **headers}), now_s=NOW).timing is timing


# -- reading the head


def test_a_head_is_read_alike_from_both_doors() -> None:
    text = [("Content-Type", "text/html"), ("CACHE-CONTROL", "public"), ("cache-control", "max-age=1"), ("X-A", "b")]
    raw = [(name.encode(), value.encode()) for name, value in text]
    expected = Head(content_type="text/html", cache_control="public, max-age=1")
    assert Head.read(text) == Head.read(raw) == Head.read(iter(raw)) == expected
    assert Head.read([]) == Head()


@given(
    st.integers(100, 599),
    st.builds(Head, *[st.text(max_size=20)] * len(Head._fields)),
    st.dictionaries(
        st.sampled_from(["accept", "sec-fetch-mode", "sec-fetch-dest", "sec-purpose", "hx-request"]),
        st.text(st.characters(max_codepoint=255), max_size=20),
    ),
)
def test_every_response_has_a_plan(status: int, head: Head, headers: dict[str, str]) -> None:
    assert isinstance(plan(status, head, scope_request("/", headers), now_s=NOW), Plan)
