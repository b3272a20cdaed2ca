"""Platforms that keep the choice as JSON; each reader knows its own cookie only."""

from __future__ import annotations

from tiktok_middleware.core.consent.platforms.answers import State, yes_or_no
from tiktok_middleware.core.consent.platforms.header import read_copies, values_of
from tiktok_middleware.core.consent.platforms.unwrap import list_in, record, record_in

__all__ = ["borlabs", "cc_cookie", "civic", "cookiefirst", "klaro", "osano", "securiti", "shopify"]


def klaro(header: str, service: str) -> State:
    """Klaro's ``klaro``: a boolean a service, written when the visitor saves."""
    return read_copies(header, "klaro", lambda value: yes_or_no(record(value).get(service)))


def cookiefirst(header: str) -> State:
    """CookieFirst's ``cookiefirst-consent``: a boolean a category."""
    return read_copies(header, "cookiefirst-consent", lambda value: yes_or_no(record(value).get("advertising")))


def borlabs(header: str, service: str) -> State:
    """Borlabs' ``borlabs-cookie``: accepted services by group.

    Args:
        header: the raw ``Cookie`` header.
        service: the one that has to be in the group ``marketing``; empty: any.
    """
    return read_copies(header, "borlabs-cookie", lambda value: _borlabs(value, service))


def _borlabs(value: str, service: str) -> State:
    groups = record_in(record(value), "consents")
    if groups.get("marketing") is False or "marketing" not in groups:
        return State.DENIED
    accepted = list_in(groups, "marketing")
    is_accepted = service in accepted if service else bool(accepted)
    return State.GRANTED if is_accepted else State.DENIED


def civic(header: str, name: str) -> State:
    """Civic's ``CookieControl``: ``accepted`` or ``revoked`` by name; a plain refusal leaves the names out."""
    return read_copies(header, "CookieControl", lambda value: _civic(record(value), name))


def _civic(found: dict[str, object], name: str) -> State:
    choices = record_in(found, "optionalCookies")
    answer = yes_or_no(choices.get(name), yes="accepted", no="revoked")
    if answer is State.DENIED:
        return answer
    if found.get("interactedWith") is not True:
        return State.UNKNOWN
    return answer if name in choices else State.DENIED


def cc_cookie(header: str, category: str) -> State:
    """vanilla-cookieconsent's ``cc_cookie``: the accepted categories by name."""
    return read_copies(header, "cc_cookie", lambda value: _cc_cookie(record(value), category))


def _cc_cookie(found: dict[str, object], category: str) -> State:
    return State.GRANTED if category in list_in(found, "categories") else State.DENIED


def securiti(header: str, category: str, implied: State) -> State:
    """Securiti's ``__privaci_cookie_consents``: 1 by category id, which are numbers of the site's own."""
    if "__privaci_cookie_" not in header:
        return State.UNKNOWN
    granted = implied if values_of(header, "__privaci_cookie_no_action") else State.GRANTED
    return read_copies(
        header, "__privaci_cookie_consents", lambda value: _securiti(record(value), category, granted, implied)
    )


def _securiti(found: dict[str, object], category: str, granted: State, implied: State) -> State:
    is_default, signal = found.get("implicit_consent", False), found.get("gpcInBrowserOnConsent", False)
    if signal is True:
        return State.DENIED
    is_on = yes_or_no(record_in(found, "consents").get(category), yes=1) is State.GRANTED
    if is_default is True:
        return implied if is_on else State.UNKNOWN
    if not is_on:
        return State.DENIED
    return granted if is_default is False and signal is False else State.UNKNOWN


def shopify(header: str) -> State:
    """Shopify's ``_tracking_consent`` of version 2; version 3 is no JSON, and documented nowhere."""
    return read_copies(header, "_tracking_consent", lambda value: _shopify(record(value)))


def _shopify(found: dict[str, object]) -> State:
    return yes_or_no(record_in(record_in(found, "con"), "CMP").get("m"), yes="1", no="0")


def osano(header: str) -> State:
    """Osano's ``osano_consentmanager`` where it is plain JSON; it is nearly always encrypted, and then unknown."""
    return read_copies(
        header, "osano_consentmanager", lambda value: yes_or_no(record(value).get("MARKETING"), yes="ACCEPT", no="DENY")
    )
