"""Types that describe a consent platform on a site, and what its visitors click."""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["Buttons", "Platform"]


class Buttons(NamedTuple):
    """What a visitor clicks: selectors, or JavaScript after ``js:`` where the platform has an interface and no button.

    Attributes:
        accept, refuse, partial: in the first banner; ``partial`` agrees to something else.
        accept_later, refuse_later: once a choice is there and the banner is gone.
    """

    accept: str
    refuse: str
    partial: str
    accept_later: str
    refuse_later: str


class Platform(NamedTuple):
    """One platform on one site.

    Attributes:
        name: for the table of results.
        package: the name and version of the code that runs.
        setting: ``TIKTOK_CONSENT``.
        head: markup of the platform's own code and configuration; ``REVISION`` stands for the site's policy version.
        buttons: what the visitor clicks.
        has_revision: whether a new policy version asks again.
        renewed_setting: ``TIKTOK_CONSENT`` of a site with the new policy version, where the setting names it.
        variables: further options of the middleware.
        is_quick: whether it runs with every test run.
        site: the site that serves it: ``app``, ``django`` or ``flask``.
        reloads: whether the platform reloads the page after each choice.
        asks_server: whether a choice is stored by the answer to a request, which a navigation ends.
        ready: JavaScript that is true once the platform hears clicks; empty where it does as soon as it shows its buttons.
    """

    name: str
    package: str
    setting: str
    head: str
    buttons: Buttons
    has_revision: bool = False
    renewed_setting: str = ""
    variables: tuple[tuple[str, str], ...] = ()
    is_quick: bool = False
    ready: str = ""
    site: str = "app"
    reloads: bool = False
    asks_server: bool = False
