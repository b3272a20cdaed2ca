"""Events in an app's own markup, for views that a cache answers without running them; it reads no request."""

from __future__ import annotations

import html

from tiktok_middleware.core.pixel.snippet import SnippetEntry, ascii_json

__all__ = ["MOMENTS", "Attributes", "attributes"]

#: When an event in markup happens: once its page is there, or on what the visitor does with the element.
MOMENTS = ("load", "click", "submit")


class Attributes(str):
    """Attributes of an element, which template engines take as they are."""

    __slots__ = ()

    def __html__(self) -> str:
        return self


def attributes(moment: str, entry: SnippetEntry) -> Attributes:
    """The attributes that the helper script looks for.

    Args:
        moment: one of :data:`MOMENTS`.
        entry: the event, with its envelope.
    """
    return Attributes(f'data-tiktok-on="{moment}" data-tiktok-envelope="{html.escape(ascii_json(entry))}"')
