"""Borlabs Cookie: the cookie ``borlabs-cookie``, a JSON object with the accepted services of each group."""

from __future__ import annotations

from tiktok_middleware.core.consent.platforms._decoding import State, list_in, read_copies, record, record_in, texts_in
from tiktok_middleware.core.consent.platforms._platform import Platform, Revisions, Setting

__all__ = ["PLATFORM"]

_COOKIE = "borlabs-cookie"


def _read(header: str, setting: Setting) -> State:
    service = setting.part()
    return read_copies(header, _COOKIE, lambda value: _answer(value, service))


def _answer(value: str, service: str) -> State:
    groups = record_in(record(value), "consents")
    if groups.get("marketing") is False or "marketing" not in groups:
        return State.DENIED
    accepted = list_in(groups, "marketing")
    is_accepted = service in accepted if service else bool(accepted)
    return State.GRANTED if is_accepted else State.DENIED


def _revisions(header: str, _setting: Setting) -> frozenset[str]:
    return texts_in(header, _COOKIE, lambda value: record(value).get("version"))


PLATFORM = Platform(
    "borlabs[:service][,revision=N]",
    "service is the id of TikTok's service in the group marketing of Borlabs Cookie (without it any), and N its cookie "
    "version",
    (_COOKIE,),
    _read,
    most=1,
    revisions=Revisions(_revisions),
)
