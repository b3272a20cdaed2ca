"""Entity tags of pages that carry our script: another tag than the app's, from which the app's can be had back.

So a conditional request (RFC 9110 section 13) is answered by the app as if we were not there, and a page that the
browser keeps is asked for anew once our script changes.
"""

from __future__ import annotations

import re

__all__ = ["bare_tags", "marked_tag"]

_TAG = re.compile(r'(W/)?"([^"]*)"')
_MAX_HEADER_CHARS = 8192


def marked_tag(tag: str, mark: str) -> str:
    """The tag of the app's page with our script in it: weak, since the bytes are no longer the app's; empty for no tag.

    Args:
        tag: the app's ``ETag``.
        mark: names the script; letters and digits.
    """
    found = _TAG.fullmatch(tag.strip())
    if found is None:
        return ""
    return f'W/"{found[2]}-{"w" if found[1] else "s"}{mark}"'


def bare_tags(if_none_match: str, mark: str) -> str:
    """The header as the app would have got it without us.

    Args:
        if_none_match: the request's header; tags without our mark stay as they are.
        mark: of today's script: a page with yesterday's is not taken for fresh.
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
