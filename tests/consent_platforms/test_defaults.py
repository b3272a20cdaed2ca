"""A platform that grants before anybody clicks: the grant counts as ``TIKTOK_CONSENT_IMPLIED`` says, a refusal always."""

from __future__ import annotations

import pytest

from tests.consent_platforms.conftest import MakePerson
from tests.consent_platforms.person import Person
from tests.consent_platforms.platforms import OPT_OUT, Platform

pytestmark = [pytest.mark.browser, pytest.mark.soak]
each = pytest.mark.parametrize("platform", OPT_OUT, ids=lambda platform: platform.name)


def visitor_of(platform: Platform, person: MakePerson, **options: str) -> Person:
    one = person(platform._replace(variables=tuple(options.items())))
    one.visitor.forgiven = (one.visitor.shop.url,)
    one.open()
    return one


@each
def test_default_counts_for_nothing_by_default(platform: Platform, person: MakePerson) -> None:
    one = visitor_of(platform, person)
    one.ask()
    one.follow()
    one.assert_nothing(1200)


@each
def test_refusal_counts_where_defaults_count_as_granted(platform: Platform, person: MakePerson) -> None:
    one = visitor_of(platform, person, TIKTOK_CONSENT_IMPLIED="granted")
    if platform.setting != "cookieconsent":  # which writes no cookie before a click
        one.assert_matched("ViewContent")
    one.act(one.buttons.refuse)
    one.wait(1000)
    one.assert_nothing_new(one.ask)
    one.assert_nothing_new(one.follow)
    one.assert_clean()
