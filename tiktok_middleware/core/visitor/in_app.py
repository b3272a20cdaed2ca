"""Detect in-app browsers, such as TikTok's, by their user agent."""

from __future__ import annotations

import re
from functools import lru_cache

__all__ = ["IN_APP", "in_app"]

# Marks in the user agents of the apps' web views, from public lists of in-app browsers. Instagram comes before
# Facebook, because its user agent may contain Facebook's marks too.
_MARKS = {
    "tiktok": r"musical_ly|BytedanceWebview|\btrill_|\baweme_|\bTikTok(?!Spider)|com\.zhiliaoapp\.musically|ugc\.trill",
    "instagram": r"\bInstagram\b|com\.instagram\.android",
    "messenger": r"MessengerForiOS|MessengerLiteForiOS|FB_IAB/Orca|com\.facebook\.orca",
    "facebook": r"\bFBAN/|\bFBAV/|\bFB_IAB/|\bFBIOS\b|com\.facebook\.katana",
    "snapchat": r"\bSnapchat/|com\.snapchat\.android",
    "pinterest": r"\[Pinterest/|\bPinterest for |com\.pinterest\b",
    "linkedin": r"LinkedInApp|com\.linkedin\.android",
    "x": r"\bTwitter for i|\bTwitterAndroid\b|com\.twitter\.android",
    "line": r"\bLine/[0-9]|jp\.naver\.line",
    "wechat": r"\bMicroMessenger/|com\.tencent\.mm\b",
}

#: Names of the detected apps.
IN_APP: tuple[str, ...] = tuple(_MARKS)

_MARK = re.compile("|".join(f"(?P<{app}>{marks})" for app, marks in _MARKS.items()))
_MOST_CHARS = 1024


def in_app(user_agent: str, requested_with: str = "") -> str:
    """Return the app whose web view made a request, one of :data:`IN_APP`; empty for a regular browser.

    Args:
        user_agent: the ``User-Agent`` header.
        requested_with: the ``X-Requested-With`` header, which holds the app's package name in Android's web views.
    """
    package = requested_with[:_MOST_CHARS] if "." in requested_with else ""
    return _app(f"{user_agent[:_MOST_CHARS]} {package}")


@lru_cache(maxsize=1024)
def _app(text: str) -> str:
    found = {match.lastgroup for match in _MARK.finditer(text)}
    return next((app for app in IN_APP if app in found), "")
