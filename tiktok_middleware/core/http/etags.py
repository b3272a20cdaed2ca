"""Mark the entity tags of pages that contain our script, and restore the app's own tags from them.

The app then answers a conditional request (RFC 9110 section 13) as it would without the middleware. The mark names the
script, so a browser requests a cached page again after the script has changed.
"""

from __future__ import annotations

import re

__all__ = ["bare_tags", "marked_tag"]

_TAG = re.compile(r'(W/)?"([^"]*)"')
_MAX_HEADER_CHARS = 8192


def marked_tag(tag: str, mark: str) -> str:
    """Return the tag of the app's page with our script in it; empty if ``tag`` is no entity tag.

    The tag is weak, because the bytes are no longer the app's.

    Args:
        tag: the app's ``ETag``.
        mark: name of the script; letters and digits.
    """
    found = _TAG.fullmatch(tag.strip())
    if found is None:
        return ""
    return f'W/"{found[2]}-{"w" if found[1] else "s"}{mark}"'


def bare_tags(if_none_match: str, mark: str) -> str:
    """Return the ``If-None-Match`` header that the app would have received without the middleware.

    Args:
        if_none_match: the request's header; tags without this mark stay as they are.
        mark: name of the current script, so that a page with an older script does not count as fresh.
    """
    if len(if_none_match) > _MAX_HEADER_CHARS:
        return if_none_match

    def bare(found: re.Match[str]) -> str:
        opaque = found[2]
        for kind, prefix in (("w", "W/"), ("s", "")):
            if opaque.endswith(f"-{kind}{mark}"):
                return f'{prefix}"{opaque[: -len(mark) - 2]}"'
        return found[0]

    return _TAG.sub(bare, if_none_match)
