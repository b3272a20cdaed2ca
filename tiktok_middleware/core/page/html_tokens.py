"""The HTML standard's tokens as bytes, as far as the end of a head needs them: names, tags, and runs of plain ones.

It decides nothing and knows no place. State names are the standard's
(https://html.spec.whatwg.org/multipage/parsing.html#tokenization).
"""

from __future__ import annotations

import re

__all__ = [
    "COMMENT_END",
    "FIRST_RUN",
    "LONGEST_NAME",
    "NAME",
    "RAW_END",
    "RUN",
    "SPACE",
    "TAG",
    "held_back",
    "skip_script",
    "skip_tag",
]

_W = rb"[\t\n\f\r ]"

SPACE = re.compile(_W + rb"*")

#: The longest element name that means something to us; whatever is longer is some other element.
LONGEST_NAME = len(b"plaintext")
#: An opening or closing tag up to the end of its name: slash, name, and the byte that ends the name, if it is there.
NAME = re.compile(rb"<(/?)([A-Za-z][^\t\n\f\r />]{0,%d})([\t\n\f\r />]?)" % LONGEST_NAME)

COMMENT_END = re.compile(rb"--!?>")

#: Where raw text ends, by the element's name.
RAW_END = {
    name: re.compile(rb"</" + name + rb"(?=[\t\n\f\r />])", re.IGNORECASE)
    for name in (b"title", b"style", b"noscript", b"noframes", b"textarea", b"xmp", b"iframe", b"noembed")
}

# What changes how a script is read; apart because a search that begins with one certain byte is much faster.
_SCRIPT_TOKEN = re.compile(rb"-->|<(?:!--|/?script(?=[\t\n\f\r />]))", re.IGNORECASE)
_UNESCAPED_SCRIPT_TOKEN = re.compile(rb"<(?:!--|/script(?=[\t\n\f\r />]))", re.IGNORECASE)

# How far a script is escaped, and what changes it (sections 13.2.5.4 and on).
_SCRIPT_ESCAPES = {
    (b"script", b"<!--"): b"escaped",
    (b"escaped", b"-->"): b"script",
    (b"escaped", b"<script"): b"double",
    (b"double", b"</script"): b"escaped",
    (b"double", b"-->"): b"script",
}

# The longest that may be cut off at the end of a piece: a raw element's end, without the byte after its name.
_LONGEST_RAW_END_BYTES = len(b"</noscript")


def _end_of_tag(but: bytes = b"") -> bytes:
    """The rest of a plainly written tag: values stand right behind their "=", which stands right behind its name.

    It matches in one way only, and what it matches is the whole tag, as the standard reads it.

    Args:
        but: what a quoted value must not hold either.
    """
    value = rb"(?:\"[^\"" + but + rb"]*\"|'[^'" + but + rb"]*'|[^>\"'=\t\n\f\r ][^>\"'\t\n\f\r ]*(?=[\t\n\f\r >]))"
    return rb"(?:>|" + _W + rb"[^>\"'=]*(?:(?<=[^\t\n\f\r /\"'])=" + value + rb"[^>\"'=]*)*>)"


def _raw_element(name: bytes, and_not: bytes = b"") -> bytes:
    """A plainly written element with raw text; ``and_not`` follows the "<" of what is not plain in its text."""
    end = rb"/(?i:" + name + rb")"
    return name + _end_of_tag() + rb"[^<]*(?:<(?!" + end + and_not + rb")[^<]*)*<" + end + _W + rb"*>"


# Not here, since what they say is read: ``<base>``, and a policy in a ``<meta>``.
_PLAIN = (
    rb"(?:" + _W + rb"*<(?:"
    rb"meta(?![^>]*-(?i:policy))" + _end_of_tag(b">") + rb"|(?:link|html|head)" + _end_of_tag()
    + rb"|" + _raw_element(b"script", rb"|!--") + rb"|" + _raw_element(b"style")
    + rb"|" + _raw_element(b"title") + rb"|" + _raw_element(b"noscript")
    + rb"|!--(?!-?>)[^-]*(?:-(?!-!?>)[^-]*)*-->"
    rb"))*" + _W + rb"*(</head>)?"
)  # fmt: skip
#: Many plainly written constructs of a head at a time, and its end, the last group, if it follows. What is written
#: otherwise goes the exact way, token by token.
RUN = re.compile(_PLAIN)
#: The same from the first byte of a document that begins with a doctype.
FIRST_RUN = re.compile(rb"(?:\xef\xbb\xbf)?" + _W + rb"*<!(?i:doctype)[^>]*>" + _PLAIN)

# Whole attributes, exactly as the standard reads them. No byte can be matched in two ways: no backtracking storms.
_ATTRIBUTES = (
    rb"(?:[\t\n\f\r /]|[^\t\n\f\r />][^\t\n\f\r />=]*"
    rb"(?:=(?:\"[^\"]*\"|'[^']*'|[^\t\n\f\r >\"'][^\t\n\f\r >]*(?=[\t\n\f\r >]))"
    rb"|(?=[/>]|[\t\n\f\r ][^\t\n\f\r =])))*"
)
#: One tag of a head, however it is written: the first group.
TAG = re.compile(_W + rb"*(<(?:meta|link|base)(?=" + _W + rb")" + _ATTRIBUTES + rb">)")

# How a tag goes on after its name: for each state what it runs over, where the byte after that leads (empty: the
# tag has ended), and where any other byte leads. The run of the second may hold whole plain attributes.
_TAG_STATES: dict[str, tuple[re.Pattern[bytes], dict[int, str], str]] = {
    "tag_name": (re.compile(rb"[^\t\n\f\r />]*"), {0x3E: ""}, "before_name"),
    "before_name": (re.compile(_ATTRIBUTES), {0x3E: ""}, "name"),
    "name": (
        re.compile(rb"[^\t\n\f\r />=]*"),
        {0x3E: "", 0x2F: "before_name", 0x3D: "before_value"},
        "after_name",
    ),
    "after_name": (SPACE, {0x3E: "", 0x2F: "before_name", 0x3D: "before_value"}, "name"),
    "before_value": (SPACE, {0x3E: "", 0x22: "double_quoted", 0x27: "single_quoted"}, "unquoted"),
    "double_quoted": (re.compile(rb"[^\"]*"), {}, "before_name"),
    "single_quoted": (re.compile(rb"[^']*"), {}, "before_name"),
    "unquoted": (re.compile(rb"[^\t\n\f\r >]*"), {0x3E: ""}, "before_name"),
}


def skip_tag(state: str, data: bytes, position: int, end: int) -> tuple[str, int]:
    """The state and position that a tag has come to; the state is empty once the tag has ended.

    Args:
        state: one of the table above; ``before_name`` after the byte that ends the tag's name.
        data: the bytes.
        position: where to go on.
        end: where the bytes end.
    """
    while position < end:
        run, leads, otherwise = _TAG_STATES[state]
        match = run.match(data, position, end)
        position = match.end() if match is not None else position
        if position == end:
            break
        state = leads.get(data[position], otherwise)
        position += 1
        if not state:
            break
    return state, position


def skip_script(escape: bytes, data: bytes, position: int, end: int) -> tuple[bytes, int, bool]:
    """How far a script is escaped now, its position, and whether that is its end tag's.

    Args:
        escape: ``script``, ``escaped`` or ``double``: how "<!--" and a nested "<script" hide the end tag.
        data: the bytes.
        position: where to go on.
        end: where the bytes end.
    """
    while True:
        match = (_UNESCAPED_SCRIPT_TOKEN if escape == b"script" else _SCRIPT_TOKEN).search(data, position, end)
        if match is None:
            return escape, held_back(data, position, end), False
        token = match[0].lower()
        if token == b"</script" and escape != b"double":
            return escape, match.start(), True
        # "<!-->" both opens and closes: its dashes are looked at again.
        position = match.start() + 2 if token == b"<!--" else match.end()
        escape = _SCRIPT_ESCAPES.get((escape, token), escape)


def held_back(data: bytes, position: int, end: int) -> int:
    """Where the end of raw text, or what changes a script, may have begun; ``end`` where it has not."""
    found = data.rfind(b"<", max(position, end - _LONGEST_RAW_END_BYTES), end)
    if found < 0:
        found = data.find(b"-", max(position, end - len("--")), end)
    return end if found < 0 else found
