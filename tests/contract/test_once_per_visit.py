"""An event that counts once per visit is not sent again when its page is reloaded."""

from __future__ import annotations

from typing import Any

import pytest

from tests.contract.adapters import Seen
from tests.contract.test_event_inputs import Both, arrived, make
from tiktok_middleware.core.visitor.visits import VISIT_COOKIE, VISIT_MAX_AGE_S

adapters = pytest.mark.parametrize("adapter", ["asgi", "wsgi"])


def checkout(tracker: Any) -> None:
    tracker.track("InitiateCheckout", value=30, currency="EUR", once_per="visit")


def visit_of(seen: Seen) -> str:
    """The cookie as the browser brings it back; empty where none was set."""
    set_cookies = [value for name, value in seen.headers if name == "set-cookie" and value.startswith(VISIT_COOKIE)]
    return set_cookies[-1].partition(";")[0] if set_cookies else ""


@pytest.fixture(autouse=True)
def _nothing_has_arrived() -> None:
    arrived.clear()


@adapters
def test_a_reload_sends_nothing_on_either_channel(adapter: str) -> None:
    client = make()
    both = Both(client, adapter)
    seen, copies, (item,) = both.visit(checkout)
    assert [copy[2] for copy in copies] == [item["event_id"]]
    cookie = visit_of(seen)
    for _ in range(2):
        seen, copies, items = both.visit(checkout, cookie=cookie)
        assert (copies, items) == ([], [])
        assert visit_of(seen) == cookie, "each use prolongs the visit"
    client.close(1)


@adapters
def test_another_visit_counts_again(adapter: str) -> None:
    client = make()
    both = Both(client, adapter)
    first, second = both.visit(checkout), both.visit(checkout)
    assert visit_of(first[0]) != visit_of(second[0])
    assert len({item["event_id"] for _, _, items in (first, second) for item in items}) == 2
    client.close(1)


@adapters
def test_other_events_of_the_visit_count_too(adapter: str) -> None:
    client = make()
    both = Both(client, adapter)
    seen, _, _ = both.visit(checkout)

    def others(tracker: Any) -> None:
        tracker.track("AddPaymentInfo", once_per="visit")
        tracker.track("InitiateCheckout")

    _, copies, items = both.visit(others, cookie=visit_of(seen))
    assert [copy[0] for copy in copies] == [item["event"] for item in items] == ["AddPaymentInfo", "InitiateCheckout"]
    client.close(1)


@adapters
def test_one_request_counts_it_once(adapter: str) -> None:
    client = make()

    def twice(tracker: Any) -> None:
        checkout(tracker)
        checkout(tracker)

    _, copies, items = Both(client, adapter).visit(twice)
    assert (len(copies), len(items)) == (1, 1)
    client.close(1)


@pytest.mark.parametrize("forged", ["", "x", "0" * 23, "G" * 24, "<script>", "0" * 5000])
def test_a_forged_visit_is_a_new_one(forged: str) -> None:
    client = make()
    seen, _, items = Both(client, "wsgi").visit(checkout, cookie=f"{VISIT_COOKIE}={forged}")
    assert len(items) == 1
    assert visit_of(seen) not in {"", f"{VISIT_COOKIE}={forged}"}
    client.close(1)


def test_the_cookie_ends_half_an_hour_after_the_last_event() -> None:
    client = make()
    seen, _, _ = Both(client, "wsgi").visit(checkout)
    (cookie,) = [value for name, value in seen.headers if name == "set-cookie" and value.startswith(VISIT_COOKIE)]
    assert f"Max-Age={VISIT_MAX_AGE_S}" in cookie
    assert VISIT_MAX_AGE_S == 1800
    client.close(1)


@pytest.mark.parametrize("headers", [{}, {"cookie": "_tt_consent=d"}, {"sec_gpc": "1"}])
def test_without_consent_no_cookie_is_set(headers: dict[str, str]) -> None:
    client = make(consent="required")
    seen, _, items = Both(client, "wsgi").visit(checkout, **headers)
    assert (visit_of(seen), items) == ("", [])
    client.close(1)


def test_a_refusal_deletes_it() -> None:
    client = make()
    seen, _, _ = Both(client, "wsgi").visit(checkout, cookie=f"_tt_consent=d; {VISIT_COOKIE}={'0' * 24}")
    (cookie,) = [value for name, value in seen.headers if name == "set-cookie" and value.startswith(VISIT_COOKIE)]
    assert "Max-Age=0" in cookie
    client.close(1)


def test_a_page_without_such_an_event_sets_none() -> None:
    client = make()
    seen, _, _ = Both(client, "wsgi").visit(lambda tracker: tracker.track("ViewContent"))
    assert visit_of(seen) == ""
    client.close(1)


def test_a_key_of_ones_own_outranks_the_visit() -> None:
    client = make()
    both = Both(client, "wsgi")
    seen, _, _ = both.visit(lambda tracker: tracker.track("Purchase", order_id="A", value=5, once_per="visit"))
    assert visit_of(seen) == ""
    _, _, items = both.visit(lambda tracker: tracker.track("Purchase", order_id="A", value=5))
    assert items == []
    client.close(1)


def test_a_job_has_no_visit_and_its_event_goes() -> None:
    client = make()
    with client.tracker(consent=True) as tiktok:
        event = tiktok.track("Lead", once_per="visit")
    assert (event.channels.server.sends, event.once) == (True, False)
    client.close(1)
