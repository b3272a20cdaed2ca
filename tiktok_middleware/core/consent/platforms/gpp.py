"""IAB's Global Privacy Platform string: opt-outs of the United States, and an optional TC string.

Layouts: IAB Tech Lab, Global Privacy Platform, "Consent String Specification" and the sections' own pages.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from tiktok_middleware.core.consent.platforms._decoding import (
    Bits,
    State,
    attempt,
    decoded,
    most_careful,
    values_by_name,
)
from tiktok_middleware.core.consent.platforms._platform import Platform, Setting
from tiktok_middleware.core.consent.platforms.tcf import DEFAULT_ASKED, read_tc_string
from tiktok_middleware.core.consent.platforms.usprivacy import sale_flag

__all__ = ["NAMES", "PLATFORM", "has_opt_out", "values_in"]

#: No name is standard. These are used by several platforms, by OneTrust and by InMobi, in this order.
NAMES = ("__gpp", "OTGPPConsent", "IABGPP_HDR_GppString")

_TCF_SECTION, _USPRIVACY_SECTION = 2, 6
_GPC_SEGMENT = 1
_NOT_APPLICABLE, _OPTED_OUT, _STAYED, _INVALID = range(4)
_MAX_SECTIONS = 64

#: Weights of the digits of a Fibonacci-coded number. A section id with more digits is invalid.
_FIBONACCI = [1, 2]
while len(_FIBONACCI) < 24:
    _FIBONACCI.append(_FIBONACCI[-2] + _FIBONACCI[-1])


class _Layout(NamedTuple):
    """Bit positions of the opt-outs in a section of the United States.

    Attributes:
        opt_outs: bit offsets of those of sale, sharing and targeted advertising that exist, two bits each.
        newest: the highest number in the first six bits for which this layout is known.
        has_gpc: whether segments after the core may hold Global Privacy Control.
    """

    opt_outs: tuple[int, ...]
    newest: int = 1
    has_gpc: bool = True


# The sections of the last four states begin with the version of an agreement, not of a layout. From 24 on, these six
# bits would be a section id, as in the specification's newest form, which the IAB's libraries do not write.
_LAYOUTS: dict[int, _Layout] = {
    7: _Layout((18, 20, 22), newest=2),
    **dict.fromkeys((8, 9, 10, 12, 13, 14, 15, 16, 17, 19, 20, 21, 22, 23), _Layout((12, 14))),
    **dict.fromkeys((11, 18), _Layout((14, 16))),
    24: _Layout((16, 18), newest=23),
    **dict.fromkeys((25, 26, 27), _Layout((16, 18), newest=23, has_gpc=False)),
}


def values_in(header: str) -> list[str]:
    """Return the GPP strings of a ``Cookie`` header."""
    if "GPP" not in header and "__gpp" not in header:
        return []
    return [value for found in values_by_name(header, *NAMES).values() for value in found]


def has_opt_out(value: str) -> bool:
    """Return whether any readable section holds an opt-out.

    Raises:
        ValueError: the string has no readable list of sections.
    """
    ids, texts = _sections(value)
    return any(_OPTED_OUT in _read_section(section, text)[0] for section, text in zip(ids, texts, strict=False))


def _read(header: str, setting: Setting) -> State:
    """Return denied for any opt-out. No opt-out is a default without a click; an inner TC string counts as a click."""
    return most_careful([attempt(lambda text: _answer(text, setting.implied), value) for value in values_in(header)])


def _answer(value: str, implied: State) -> State:
    ids, texts = _sections(value)
    answers = [] if len(ids) == len(texts) else [State.UNKNOWN]
    for section, text in zip(ids, texts, strict=False):
        if section == _TCF_SECTION:
            answers.append(attempt(lambda tc_string: read_tc_string(tc_string, DEFAULT_ASKED), text))
        else:
            answers += _us_answers(section, text, implied)
    return most_careful(answers)


def _us_answers(section: int, text: str, implied: State) -> list[State]:
    """Return one state, or none if the section does not apply to the visitor."""
    flags, is_whole = _read_section(section, text)
    if _OPTED_OUT in flags:
        return [State.DENIED]
    if _INVALID in flags or not is_whole:
        return [State.UNKNOWN]
    return [implied] if _STAYED in flags else []


def _read_section(section: int, text: str) -> tuple[set[int], bool]:
    """Return the readable flags, and whether all were readable. An opt-out counts even if the rest is cut off."""
    flags = set()
    try:
        for flag in _flags(section, text):
            flags.add(flag)  # flags before an error are kept
    except ValueError:
        return flags, False
    return flags, True


def _flags(section: int, text: str) -> Iterator[int]:
    """Yield the values of a section's opt-out fields and GPC segments.

    Raises:
        ValueError: on reaching a part that is cut off, or at once if the layout is unknown.
    """
    if section == _USPRIVACY_SECTION:
        yield {"Y": _OPTED_OUT, "N": _STAYED, "-": _NOT_APPLICABLE}[sale_flag(text)]
    layout = _LAYOUTS.get(section)
    if layout is None:
        return
    first, *others = text.split(".")
    core = Bits(first)
    if core.take(0, 6) > layout.newest:
        raise ValueError("unknown layout")
    for offset in layout.opt_outs:
        yield core.take(offset, 2)
    for other in others if layout.has_gpc else ():
        segment = Bits(other)
        if segment.take(0, 2) == _GPC_SEGMENT and segment.take(2, 1):
            yield _OPTED_OUT


def _sections(value: str) -> tuple[list[int], list[str]]:
    """Return the section ids that the header lists, and the sections that are present."""
    first, *texts = decoded(value).split("~")
    header = Bits(first)
    count = header.take(12, 12)
    if header.take(0, 6) != 3 or header.take(6, 6) != 1 or count > _MAX_SECTIONS:
        raise ValueError("no GPP header of version 1")
    ids: list[int] = []
    last, offset = 0, 24
    for _ in range(count):
        is_group = header.take(offset, 1)
        step, offset = _fibonacci(header, offset + 1)
        start = last = last + step
        if is_group:
            step, offset = _fibonacci(header, offset)
            last += step
        if len(ids) + last - start >= _MAX_SECTIONS:
            raise ValueError("too many sections")
        ids += range(start, last + 1)
    return ids, texts


def _fibonacci(bits: Bits, offset: int) -> tuple[int, int]:
    """Return a Fibonacci-coded number, which is at least 1 and ends with two ones, and the offset after it."""
    end = bits.text.find("11", offset, offset + len(_FIBONACCI) + 1)
    if end < 0:
        raise ValueError("number without end")
    digits = bits.text[offset : end + 1]
    return sum(weight for weight, digit in zip(_FIBONACCI, digits, strict=False) if digit == "1"), end + 2


PLATFORM = Platform("gpp", "", NAMES, _read)
