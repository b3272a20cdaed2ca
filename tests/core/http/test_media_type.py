"""Content types as Chromium reads them: each row was compared with what Chromium shows."""

from __future__ import annotations

import pytest

from tiktok_middleware.core.http.media_type import MediaType, media_type

ROWS = [
    ("", "", ""),
    ("text/html", "text/html", ""),
    (" TEXT/HTML ", "text/html", ""),
    ("text/html;", "text/html", ""),
    ("text/htmlx", "text/htmlx", ""),
    ("html", "", ""),
    # parameters
    ("text/html; charset=utf-8", "text/html", "utf-8"),
    ("TEXT/HTML;CHARSET=UTF-8", "text/html", "utf-8"),
    ("text/html ;charset=utf-8 ; c=d", "text/html", "utf-8"),
    ("text/html;;charset=utf-8", "text/html", "utf-8"),
    ("text/html; =x; charset=utf-8", "text/html", "utf-8"),
    ("text/html; charset; charset=utf-8", "text/html", "utf-8"),
    ("text/html; xcharset=utf-8", "text/html", ""),
    ("text/html; a=b; Charset=utf-8; c=d", "text/html", "utf-8"),
    # white space
    ("text/html; charset= utf-8", "text/html", "utf-8"),
    ("text/html; charset =utf-8", "text/html", ""),
    ("text/html; charset = utf-8", "text/html", ""),
    ("text/html charset=utf-8", "text/html", ""),
    ("text/html (comment); charset=utf-8", "text/html", "utf-8"),
    ("text/html; charset=utf-8 x", "text/html", "utf-8 x"),  # browsers have no encoding of this name
    # quotes
    ('text/html; charset="utf-8"', "text/html", "utf-8"),
    ('text/html; charset= "utf-8"', "text/html", "utf-8"),
    ('text/html; charset="utf-8', "text/html", "utf-8"),
    ('text/html; charset="utf-8"x', "text/html", "utf-8"),
    ('text/html; charset=utf-8"', "text/html", 'utf-8"'),
    ("text/html; charset='utf-8'", "text/html", "'utf-8'"),
    ('text/html; a=";charset=utf-8"', "text/html", ""),
    ('text/html; a="b; charset=utf-8', "text/html", ""),
    # the first parameter counts
    ("text/html; charset=utf-8; charset=koi8-r", "text/html", "utf-8"),
    ("text/html; charset=nonsense; charset=utf-8", "text/html", "nonsense"),
    ('text/html; charset=""; charset=utf-8', "text/html", ""),
    # the last of several types counts
    ("text/html, text/html; charset=utf-8", "text/html", "utf-8"),
    ("text/html; charset=utf-8, text/html", "text/html", "utf-8"),
    ("text/html; charset=utf-8,text/html; charset=koi8-r", "text/html", "koi8-r"),
    ("application/json, text/html; charset=utf-8", "text/html", "utf-8"),
    ("text/html; charset=utf-8, text/plain", "text/plain", ""),
    ("text/html , application/json", "application/json", ""),
    ("text/html, */*", "text/html", ""),
    ("text/html, , nonsense", "text/html", ""),
    ('text/plain; a=", text/html"', "text/plain", ""),
]


@pytest.mark.parametrize(("content_type", "essence", "charset"), ROWS)
def test_type_and_charset_are_those_that_browsers_read(content_type: str, essence: str, charset: str) -> None:
    assert media_type(content_type) == MediaType(essence, charset)
