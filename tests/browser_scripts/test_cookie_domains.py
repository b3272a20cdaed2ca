"""The domains for which scripts of pages write and delete our cookies."""

from __future__ import annotations

import pytest

from tests.browser_scripts.page_world import run, snippet
from tiktok_middleware._wiring import helper_file

pytestmark = pytest.mark.node


def domains(written: list[str], name: str) -> list[str]:
    """The domain of each write of a cookie; empty for a cookie of the host alone."""
    return [text.partition("; Domain=")[2] for text in written if text.startswith(f"{name}=")]


@pytest.mark.parametrize("has_helper", [True, False], ids=["helper", "no helper"])
@pytest.mark.parametrize(
    ("setting", "tried"),
    [
        ("auto", ["example", "shop.example"]),  # the broadest that the browser accepts
        ("host", [""]),
        ("shop.example", ["shop.example"]),
    ],
)
def test_refusal_is_written_for_the_domain_of_the_setting(setting: str, tried: list[str], *, has_helper: bool) -> None:
    made = snippet(helper_file("implied", setting), cookie_domain=setting)
    html = made.page("", page=True)
    diary = run(html, helper=has_helper, made=made, steps=[("run", "tiktok.revokeConsent()")])
    assert domains(diary["written"], "_tt_consent") == tried
    assert diary["cookies"]["_tt_consent"] == "d"
