"""Make attributes for events in an app's own markup. They work even if a cache answers and the view does not run."""

from __future__ import annotations

import html

from tiktok_middleware.core.pixel.snippet import SnippetEntry, ascii_json

__all__ = ["MARKUP_MOMENTS", "Attributes", "attributes"]

#: When an event in markup happens: when the page has loaded, or when the visitor clicks or submits the element.
MARKUP_MOMENTS = ("load", "click", "submit")


class Attributes(str):
    """Attributes of an element, as safe markup that template engines do not escape again."""

    __slots__ = ()

    def __html__(self) -> str:
        return self


def attributes(moment: str, entry: SnippetEntry) -> Attributes:
    """Return the attributes that the helper script looks for.

    Args:
        moment: one of :data:`MARKUP_MOMENTS`.
        entry: the event, with its token.
    """
    return Attributes(f'data-tiktok-on="{moment}" data-tiktok-envelope="{html.escape(ascii_json(entry))}"')
