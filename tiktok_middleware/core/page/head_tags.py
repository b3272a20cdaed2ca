"""Read the tags of a head that change how our script must be written: policies."""

from __future__ import annotations

import html
import re

__all__ = ["TAG_LIMIT_BYTES", "HeadTags"]

#: Longer tags are not read.
TAG_LIMIT_BYTES = 32_768

_POLICY = re.compile(rb"security-policy", re.IGNORECASE)
_HEAD_ATTRIBUTE = re.compile(
    rb"([^\t\n\f\r />][^\t\n\f\r />=]*)"
    rb"(?:[\t\n\f\r ]*=[\t\n\f\r ]*(?:\"([^\"]*)\"|'([^']*)'|([^\t\n\f\r >\"'][^\t\n\f\r >]*)|))?"
)


class HeadTags:
    """The result of the tags that were read so far.

    Attributes:
        policies: the policies in ``<meta http-equiv="Content-Security-Policy">``, in order.
    """

    __slots__ = ("policies",)

    def __init__(self) -> None:
        self.policies: tuple[str, ...] = ()

    @property
    def key(self) -> tuple[str, ...] | None:
        """All of them as one value; None if there are none."""
        return self.policies or None

    @property
    def are_any(self) -> bool:
        """Whether any tag changes how the script must be written."""
        return bool(self.policies)

    def read(self, tag: bytes) -> None:
        """Read one start tag, from its "<" to its ">"."""
        if len(tag) > TAG_LIMIT_BYTES:
            return
        if tag[1:5].lower() == b"meta" and _POLICY.search(tag):
            attributes = _attributes(tag)
            content = attributes.get(b"content", b"")
            if content and attributes.get(b"http-equiv", b"").lower() == b"content-security-policy":
                self.policies += (html.unescape(content.decode("utf-8", "replace")),)


def _attributes(tag: bytes) -> dict[bytes, bytes]:
    """Return the attributes by lower-case name, the first of each name."""
    found: dict[bytes, bytes] = {}
    for match in _HEAD_ATTRIBUTE.finditer(tag, len("<meta"), len(tag) - 1):
        found.setdefault(match[1].lower(), match[2] or match[3] or match[4] or b"")
    return found
