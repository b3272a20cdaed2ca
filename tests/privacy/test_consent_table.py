"""Without leave nothing is set, sent, requested of TikTok or put into a page: state x channel x kind of response x reader.

The cells are typed by hand. Each letter is something that happened::

    L  the page loads the pixel at once          B  a browser copy goes with the response
    W  the page waits, and requests nothing      E  the event waits in the page, in an envelope
    C  a cookie of the visitor's ids is set      S  the server copy is sent
    D  our cookies are deleted                   G  the page loads it unless the browser itself says no (shared pages)
    K  the page carries the way back alone: no pixel id, nothing of TikTok's
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any, NamedTuple

import pytest

from tests.contract.adapters import HTML, PAGE, Request, Response, Seen, through_asgi, through_wsgi
from tests.core.consent.platforms.headers_seen import SEEN
from tiktok_middleware import Client, Config
from tiktok_middleware.core.consent.consent import State
from tiktok_middleware.core.http.request import RequestView
from tiktok_middleware.testing import record

GRANTED, DENIED, UNKNOWN = State.GRANTED, State.DENIED, State.UNKNOWN

LANDING = "_ttp=01K0ABCDEFGHJKMNPQRSTVWXYZ_.tt.1"
NAVIGATION = {"sec-fetch-mode": "navigate", "sec-fetch-dest": "document", "sec-fetch-site": "none"}
FETCH = {"sec-fetch-mode": "cors", "sec-fetch-dest": "empty", "sec-fetch-site": "same-origin"}
JSON = ("Content-Type", "application/json")
EVENT = ("Lead", {"value": 5, "currency": "EUR"})


TC_GRANTED = "CQe_xoAQe_xoAEsABBENCPFgAPLAAAAAAAYgAOEAAABAAAAA.IAOEAAAB"
TC_DENIED = "CQe_xoAQe_xoAEsABBENCPFgAAAAAAAAAAYgAAAAAAAA.IAAA"


class Kind(NamedTuple):
    """One kind of response, and what happens to it.

    Attributes:
        response: what the app answers.
        headers: how it was asked for.
        granted, unknown, denied: cells.
    """

    response: Response
    headers: dict[str, str]
    granted: str
    unknown: str
    denied: str


_PAGE = Response(events=(EVENT,))
_SHARED = Response(headers=(HTML, ("Cache-Control", "public, max-age=60")), events=(EVENT,))

KINDS = {
    "page": Kind(_PAGE, NAVIGATION, "LCBS", "WE", "KD"),
    "page in pieces": Kind(
        Response(pieces=(PAGE[:30], PAGE[30:]), events=(EVENT,), is_streamed=True), NAVIGATION, "LCBS", "WE", "KD"
    ),
    "late event of a page": Kind(
        Response(pieces=(PAGE[:70], PAGE[70:]), late_events=(EVENT,), is_streamed=True), NAVIGATION, "LCBS", "WE", "KD"
    ),
    "frame": Kind(_PAGE, {**NAVIGATION, "sec-fetch-dest": "iframe"}, "LCBS", "WE", "KD"),
    "error page": Kind(Response(status=500, events=(EVENT,)), NAVIGATION, "LC", "W", "KD"),
    "page fetched ahead": Kind(_PAGE, {**NAVIGATION, "sec-purpose": "prefetch"}, "LCE", "WE", "KD"),
    "fragment": Kind(Response(pieces=(b"<p>hello",), events=(EVENT,)), {**FETCH, "hx-request": "true"}, "BS", "E", "D"),
    "answer": Kind(Response(headers=(JSON,), pieces=(b"{}",), events=(EVENT,)), FETCH, "BS", "E", "D"),
    "redirect": Kind(
        Response(status=303, headers=(("Location", "/thanks"),), pieces=(), events=(EVENT,)), NAVIGATION, "CBS", "", "D"
    ),
    "download": Kind(
        Response(headers=(("Content-Type", "application/pdf"),), pieces=(b"%PDF",), events=(EVENT,)),
        NAVIGATION, "CBS", "", "D",
    ),
    "event stream": Kind(
        Response(headers=(("Content-Type", "text/event-stream"),), pieces=(b"data: x\n\n",), events=(EVENT,)),
        FETCH, "S", "", "",
    ),
    "other site's fetch": Kind(
        Response(headers=(JSON,), pieces=(b"{}",), events=(EVENT,)), {**FETCH, "sec-fetch-site": "cross-site"},
        "S", "", "D",
    ),
    # the same for everybody: what a visitor said is asked of the endpoint, by the page
    "shared page": Kind(_SHARED, NAVIGATION, "WE", "WE", "WE"),
    "shared answer": Kind(
        Response(headers=(JSON, ("Cache-Control", "public")), pieces=(b"{}",), events=(EVENT,)), FETCH, "S", "", "",
    ),
}  # fmt: skip

# Where the setting alone means leave, a shared page loads first.
IMPLIED = {"shared page": "GE"}
# Where only the page can read the platform's record, it is asked on each page, whatever an earlier page has reported.
BRIDGED = {"page": "WE", "page in pieces": "WE", "late event of a page": "WE", "frame": "WE", "error page": "W"}
BRIDGED |= {"page fetched ahead": "WE", "redirect": "E", "download": "E"}


class Visitor(NamedTuple):
    """One visitor of one site.

    Attributes:
        name: for the test's name.
        setting: ``TIKTOK_CONSENT``.
        state: what they said.
        cookie: their cookies.
        headers: further ones.
        options: further options of the site.
    """

    name: str
    setting: str
    state: State
    cookie: str = ""
    headers: tuple[tuple[str, str], ...] = ()
    options: tuple[tuple[str, str], ...] = ()


def team_says(facts: RequestView) -> object:
    """A team's own reader."""
    return {"yes": True, "no": False}.get(facts.cookies.get("ads", ""))


_IMPORT = f"import:{__name__}:team_says"
_LENIENT = (("consent_implied", "granted"),)
_GPC = (("sec-gpc", "1"),)

VISITORS = [
    *(Visitor(seen.name, seen.setting, seen.answer, seen.header) for seen in SEEN),
    *(
        Visitor(f"{seen.name}, lenient", seen.setting, seen.lenient, seen.header, options=_LENIENT)
        for seen in SEEN
        if seen.lenient is not seen.answer
    ),
    *(Visitor(f"{seen.name}, GPC", seen.setting, DENIED, seen.header, _GPC) for seen in SEEN if "granted" in seen.name),
    Visitor("tcf granted", "tcf", GRANTED, f"euconsent-v2={TC_GRANTED}"),
    Visitor("tcf denied", "tcf", DENIED, f"euconsent-v2={TC_DENIED}"),
    Visitor("tcf cut", "tcf", UNKNOWN, f"euconsent-v2={TC_GRANTED[:20]}"),
    Visitor("tcf unset", "tcf", UNKNOWN),
    Visitor("gpp opted out", "implied", DENIED, "__gpp=DBABL~BVQVAAAAAY.Y; __gpp_sid=7"),
    Visitor("gpp, no opt-out", "gpp", UNKNOWN, "__gpp=DBABL~BVQqAAAAAY.Q; __gpp_sid=7"),
    Visitor("usprivacy opted out", "implied", DENIED, "usprivacy=1YYN"),
    Visitor("usprivacy opted out, though granted", "cookie:ads=yes", DENIED, "ads=yes; usprivacy=1YYN"),
    Visitor("usprivacy, no opt-out", "cookie:ads=yes", UNKNOWN, "usprivacy=1YNN"),
    Visitor("cookie granted", "cookie:ads=yes", GRANTED, "ads=yes"),
    Visitor("cookie denied", "cookie:ads=yes", DENIED, "ads=no"),
    Visitor("cookie unset", "cookie:ads=yes", UNKNOWN),
    Visitor("import granted", _IMPORT, GRANTED, "ads=yes"),
    Visitor("import denied", _IMPORT, DENIED, "ads=no"),
    Visitor("import unset", _IMPORT, UNKNOWN),
    Visitor("bridge granted", "bridge:osano", GRANTED, "_tt_consent=g"),
    Visitor("bridge denied", "bridge:osano", DENIED, "_tt_consent=d"),
    Visitor("bridge unset", "bridge:osano", UNKNOWN),
    Visitor("bridge GPC", "bridge:osano", DENIED, "_tt_consent=g", _GPC),
    Visitor("required, own grant", "required", GRANTED, "_tt_consent=g"),
    Visitor("required, own refusal", "required", DENIED, "_tt_consent=d"),
    Visitor("required, unset", "required", UNKNOWN),
    Visitor("implied", "implied", GRANTED),
    Visitor("implied, own refusal", "implied", DENIED, "_tt_consent=d"),
    Visitor("implied, GPC", "implied", DENIED, "", _GPC),
    Visitor("implied, GPC ignored", "implied", GRANTED, "", _GPC, (("gpc", "ignore"),)),
    Visitor("implied, GPC limits", "implied", GRANTED, "", _GPC, (("gpc", "limit"),)),
]


@pytest.fixture(scope="module")
def sites() -> Iterator[dict[tuple[Any, ...], Client]]:
    made: dict[tuple[Any, ...], Client] = {}
    yield made
    for client in made.values():
        client.close(0)


def site_of(sites: dict[tuple[Any, ...], Client], visitor: Visitor) -> Client:
    key = (visitor.setting, visitor.options)
    if key not in sites:
        config = Config(
            pixel_id="C0000000000000000000",
            access_token="t",
            outbox="memory://",
            consent=visitor.setting,
            cookie_domain="host",
            **dict(visitor.options),  # type: ignore[arg-type]
        )
        sites[key] = Client(config)
    return sites[key]


def cell_of(kind_name: str, visitor: Visitor) -> str:
    kind = KINDS[kind_name]
    if visitor.setting == "implied" and kind_name in IMPLIED:
        return IMPLIED[kind_name]
    if visitor.name == "bridge granted" and kind_name in BRIDGED:
        return BRIDGED[kind_name]
    return {GRANTED: kind.granted, UNKNOWN: kind.unknown, DENIED: kind.denied}[visitor.state]


@pytest.mark.parametrize("visitor", VISITORS, ids=[visitor.name for visitor in VISITORS])
def test_what_happens_is_what_the_visitor_allowed(visitor: Visitor, sites: dict[tuple[Any, ...], Client]) -> None:
    client = site_of(sites, visitor)
    cookie = "; ".join(filter(None, (visitor.cookie, LANDING)))
    for name, kind in KINDS.items():
        headers = {"user-agent": "Mozilla/5.0", "cookie": cookie, **kind.headers, **dict(visitor.headers)}
        request = Request(path="/shop", query="ttclid=E.C.P.x", headers=headers)
        for door, through in (("asgi", through_asgi), ("wsgi", through_wsgi)):
            bare = through(None, request, kind.response)
            with record() as tiktok:
                seen = through(client, request, kind.response)
            found = happened(client, seen, bare) | {"S" for _ in tiktok.server}
            assert found == set(cell_of(name, visitor)), (name, door, seen)
            assert len(tiktok.server) <= 1
            if not found:
                assert seen == bare, (name, door)


def test_the_table_has_every_reader_and_every_state() -> None:
    seen: dict[str, set[State]] = {}
    for visitor in VISITORS:
        seen.setdefault(visitor.setting.partition(":")[0], set()).add(visitor.state)
    both = {reader for reader, states in seen.items() if {GRANTED, DENIED} <= states}
    assert len(both) >= 24
    assert seen.keys() - both == {"auto", "gpp"}


def happened(client: Client, seen: Seen, bare: Seen) -> set[str]:
    """The letters of what a browser would find."""
    cookies = [value for name, value in seen.headers if name == "set-cookie"]
    set_now = [cookie.partition("=")[0].partition(".")[0] for cookie in cookies if "Max-Age=0" not in cookie]
    found = set()
    if {"_ttp", "ttclid"} & set(set_now):
        found.add("C")
    if len(set_now) < len(cookies):
        found.add("D")
    if "_tt_carry" in set_now or seen.header("tiktok-events") is not None:
        found.add("B")
    if "_tt_carry_sealed" in set_now or (seen.header("server-timing") and seen.header("tiktok-events") is None):
        found.add("E")
    assert set(set_now) <= {"_ttp", "ttclid", "_tt_fresh", "_tt_carry", "_tt_carry_sealed"}
    config, late = ours_in(client, seen.body)
    if config is None:
        way_back = client.runtime.snippet.refused("")
        if way_back in seen.body:
            found.add("K")
        assert seen.body.replace(way_back, b"") == bare.body
        assert late == ""
        return found
    found.add("W" if config.get("w") else "G" if config.get("h") else "L")
    if config.get("e") or "tiktok.emit" in late:
        found.add("B")
    if config.get("s") or '"seal"' in late:
        found.add("E")
    if not found & {"L", "G"}:
        # What waits holds nothing that would fire without the endpoint's word.
        assert not {"e", "k", "x"} & config.keys()
    return found


def ours_in(client: Client, body: bytes) -> tuple[dict[str, Any] | None, str]:
    """The configuration in our script, and our second script; TikTok's own host stands in neither but as the former."""
    base = client.runtime.snippet._base
    text = body.decode()
    begin = text.find(base)
    if begin < 0:
        assert "events.js" not in text
        return None, "".join(re.findall(r"<script>(try\{tiktok[^<]*)</script>", text))
    config, end = json.JSONDecoder().raw_decode(text[begin + len(base) :])
    rest = text[begin + len(base) + end :]
    assert rest.startswith(");</script>")
    assert "events.js" not in rest
    return config, "".join(re.findall(r"<script>(try\{tiktok[^<]*)</script>", rest))
