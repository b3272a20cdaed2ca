"""Write the script element of a page."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from tiktok_middleware.core.consent.state import State
from tiktok_middleware.core.pixel.redirect_cookie import CARRY
from tiktok_middleware.core.pixel.snippet import SnippetEntry
from tiktok_middleware.core.response.browser_output import BrowserOutput
from tiktok_middleware.core.response.policy import Place, Timing
from tiktok_middleware.core.response.routed_event import RoutedEvent, direct_copies, is_sealed, references_of
from tiktok_middleware.core.tracking.request_state import RequestState

__all__ = ["Script", "late_script", "page_script"]

# Module constants: looking up an enum member by attribute costs more than comparing it.
_DOCUMENT = Place.DOCUMENT
_ABSENT = Timing.ABSENT
_GRANTED, _DENIED = State.GRANTED, State.DENIED
_NOBODY = RequestState.identity  # the identity of most visitors


class Script(NamedTuple):
    """Script elements of a page.

    Attributes:
        data: their bytes.
        is_personal: whether they hold data of this visitor.
        is_constant: whether every page gets the same bytes.
    """

    data: bytes
    is_personal: bool = False
    is_constant: bool = False


def page_script(output: BrowserOutput, choices: Sequence[RoutedEvent], nonce: str) -> Script:
    """Return the script element of the page.

    Args:
        output: what the browser gets with the response.
        choices: events whose claims delivery has granted.
        nonce: nonce of the page's Content Security Policy.
    """
    output.tell(choices)
    runtime, state, request = output.runtime, output.state, output.request
    if not output.is_shared and state.consent.state is _DENIED:
        return Script(runtime.snippet.refused(request.mount, nonce), is_personal=True)
    is_document = output.plan.place is _DOCUMENT and not state.has_page_view
    page = runtime.counts_pages and is_document
    collect = runtime.collect_url(request) if runtime.browser_events else ""
    is_same_for_all = False
    if output.is_shared:
        wait, hello, limited, gate = not runtime.is_implied, True, runtime.limited_data_use, runtime.gate
    else:
        consent = state.consent
        wait, hello, limited = consent.state is not _GRANTED, output.plan.timing is _ABSENT, consent.limited_data_use
        is_same_for_all = runtime.is_implied and not wait and limited == runtime.limited_data_use
        gate = runtime.gate if is_same_for_all else 0
    is_usual = not (choices or runtime.seals_pages)
    if is_usual and (output.is_shared or not (state.identity is not _NOBODY or _has_earlier(output))):
        data = runtime.snippet.constant(
            request.mount,
            page=page,
            gate=gate,
            limited=limited,
            wait=wait,
            hello=hello,
            collect=collect,
            nonce=nonce,
        )
        is_constant = output.is_shared or is_same_for_all
        return Script(data, is_personal=not is_constant, is_constant=is_constant)
    carried = output.earlier.carried
    data = runtime.snippet.page(
        request.mount,
        page=page,
        gate=gate if output.is_shared else 0,
        limited=limited,
        wait=wait,
        hello=hello,
        collect=collect,
        identity=state.identity.pixel() if state.identity and not output.is_shared else None,
        copies=[] if output.is_shared else [*carried.copies, *direct_copies(choices)],
        sealed=_entries(output, choices, is_document=is_document),
        references=[*carried.references, *references_of(choices), *output.earlier.sealed.references],
        clear_cookies=carried.names,
        nonce=nonce,
    )
    return Script(data, is_personal=not output.is_shared)


def late_script(output: BrowserOutput, choices: Sequence[RoutedEvent], nonce: str) -> bytes:
    """Return a second script, for events that were tracked while the page was sent."""
    output.tell(choices)
    copies = [] if output.is_shared else direct_copies(choices)
    sealed = [output.entries.entry(choice.event) for choice in choices if is_sealed(choice)]
    references = references_of(choices)
    if not (copies or sealed or references):
        return b""
    return output.runtime.snippet.late(copies, sealed, references, nonce=nonce)


def _entries(output: BrowserOutput, choices: Sequence[RoutedEvent], *, is_document: bool) -> list[SnippetEntry]:
    """Return the entries that the browser confirms: page view, sealed events of this and of earlier responses."""
    entries = [output.entries.entry(choice.event) for choice in choices if is_sealed(choice)]
    if output.runtime.seals_pages and is_document:
        entries.insert(0, output.entries.page_view())
    if output.is_shared or output.state.consent.is_granted:
        return entries
    return [*entries, *map(output.entries.resigned, output.earlier.sealed.signed_events)]


def _has_earlier(output: BrowserOutput) -> bool:
    return (output.request.cookies_hold(CARRY) or output.state.returned is not None) and output.earlier.are_any
