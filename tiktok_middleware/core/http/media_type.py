"""Read the ``Content-Type`` of a response as browsers do.

The algorithm is the Fetch standard's "extract a MIME type" (https://fetch.spec.whatwg.org/#concept-header-extract-mime-type):
of several values the last one counts, and it inherits the charset of an equal type before it. As in Chromium, a type
ends at white space, so that "text/html charset=utf-8" is HTML without a charset.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import NamedTuple

__all__ = ["MediaType", "media_type"]

# A value of a list whose quoted strings may hold commas.
_VALUE = re.compile(r"(?:[^,\"]|\"[^\"]*(?:\"|$))+")
_ESSENCE = re.compile(r"[^\s;(/]+/[^\s;(/]+")
# One parameter: its name, and its value with and without quotes. White space before the "=" makes it another name.
_PARAMETER = re.compile(r";\s*([^\s;=]*)=\s*(?:\"([^\"]*)\"?[^;]*|([^;]*))")


class MediaType(NamedTuple):
    """The type of a response.

    Attributes:
        essence: such as ``text/html``, lower-case; empty if there is none.
        charset: the charset parameter, lower-case; empty if there is none. It may be no charset that browsers have.
    """

    essence: str = ""
    charset: str = ""


@lru_cache(maxsize=256)
def media_type(content_type: str) -> MediaType:
    """Return the type that browsers read in a ``Content-Type``.

    Args:
        content_type: the header's value; repeated headers are joined by commas.
    """
    essence = charset = ""
    for value in _VALUE.findall(content_type.lower()):
        found = _ESSENCE.match(value.strip())
        if found is None or found[0] == "*/*":
            continue
        named = _charset(value)
        charset = named or (charset if found[0] == essence else "")
        essence = found[0]
    return MediaType(essence, charset)


def _charset(value: str) -> str:
    """Return the first ``charset`` parameter of a type; empty if there is none."""
    for name, quoted, plain in _PARAMETER.findall(value):
        if name == "charset":
            return str(quoted or plain).strip()
    return ""
