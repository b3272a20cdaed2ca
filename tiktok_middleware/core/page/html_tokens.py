"""Match the HTML tokens that occur in a head: names, tags, raw text, and runs of plain markup.

State names are the standard's (https://html.spec.whatwg.org/multipage/parsing.html#tokenization).
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

#: Length of the longest element name that affects the search. A longer name is always another element.
LONGEST_NAME = len(b"plaintext")
#: A start or end tag up to the end of its name. Groups: slash, name, and the byte after the name, if it has arrived.
NAME = re.compile(rb"<(/?)([A-Za-z][^\t\n\f\r />]{0,%d})([\t\n\f\r />]?)" % LONGEST_NAME)

COMMENT_END = re.compile(rb"--!?>")

#: Where raw text ends, by the element's name.
RAW_END = {
    name: re.compile(rb"</" + name + rb"(?=[\t\n\f\r />])", re.IGNORECASE)
    for name in (b"title", b"style", b"noscript", b"noframes", b"textarea", b"xmp", b"iframe", b"noembed")
}

# Tokens that change the escape state of a script. The second pattern is separate because a search is much faster if
# all matches begin with the same byte.
_SCRIPT_TOKEN = re.compile(rb"-->|<(?:!--|/?script(?=[\t\n\f\r />]))", re.IGNORECASE)
_UNESCAPED_SCRIPT_TOKEN = re.compile(rb"<(?:!--|/script(?=[\t\n\f\r />]))", re.IGNORECASE)

# Escape states of a script: the state and a token give the next state (sections 13.2.5.4 and following).
_SCRIPT_ESCAPES = {
    (b"script", b"<!--"): b"escaped",
    (b"escaped", b"-->"): b"script",
    (b"escaped", b"<script"): b"double",
    (b"double", b"</script"): b"escaped",
    (b"double", b"-->"): b"script",
}

# Longest token that can be cut off at the end of a piece: a raw element's end tag, without the byte after its name.
_LONGEST_RAW_END_BYTES = len(b"</noscript")


def _end_of_tag(but: bytes = b"") -> bytes:
    """Return a pattern for the rest of a plain tag: no space before or after the "=" of an attribute.

    The pattern can match in one way only. Its match is the whole tag, as the standard defines it.

    Args:
        but: further bytes that a quoted value must not contain.
    """
    value = rb"(?:\"[^\"" + but + rb"]*\"|'[^'" + but + rb"]*'|[^>\"'=\t\n\f\r ][^>\"'\t\n\f\r ]*(?=[\t\n\f\r >]))"
    return rb"(?:>|" + _W + rb"[^>\"'=]*(?:(?<=[^\t\n\f\r /\"'])=" + value + rb"[^>\"'=]*)*>)"


def _raw_element(name: bytes, and_not: bytes = b"") -> bytes:
    """Return a pattern for a plain element with raw text; ``and_not`` adds what must not follow a "<" in that text."""
    end = rb"/(?i:" + name + rb")"
    return name + _end_of_tag() + rb"[^<]*(?:<(?!" + end + and_not + rb")[^<]*)*<" + end + _W + rb"*>"


# Without policies in ``<meta>``, because those tags must be read.
_PLAIN = (
    rb"(?:" + _W + rb"*<(?:"
    rb"meta(?![^>]*-(?i:policy))" + _end_of_tag(b">") + rb"|(?:link|base|html|head)" + _end_of_tag()
    + rb"|" + _raw_element(b"script", rb"|!--") + rb"|" + _raw_element(b"style")
    + rb"|" + _raw_element(b"title") + rb"|" + _raw_element(b"noscript")
    + rb"|!--(?!-?>)[^-]*(?:-(?!-!?>)[^-]*)*-->"
    rb"))*" + _W + rb"*(</head>)?"
)  # fmt: skip
#: A run of plain constructs in a head. The last group is the end of the head, if it follows. All other markup is read
#: exactly, token by token.
RUN = re.compile(_PLAIN)
#: The same, from the first byte of a document that begins with a doctype.
FIRST_RUN = re.compile(rb"(?:\xef\xbb\xbf)?" + _W + rb"*<!(?i:doctype)[^>]*>" + _PLAIN)

# Whole attributes, exactly as the standard defines them. No byte can match in two ways, so there is no catastrophic
# backtracking.
_ATTRIBUTES = (
    rb"(?:[\t\n\f\r /]|[^\t\n\f\r />][^\t\n\f\r />=]*"
    rb"(?:=(?:\"[^\"]*\"|'[^']*'|[^\t\n\f\r >\"'][^\t\n\f\r >]*(?=[\t\n\f\r >]))"
    rb"|(?=[/>]|[\t\n\f\r ][^\t\n\f\r =])))*"
)
#: One tag of a head, plain or not: the first group.
TAG = re.compile(_W + rb"*(<(?:meta|link|base)(?=" + _W + rb")" + _ATTRIBUTES + rb">)")

# The states of a tag after the start of its name. Each state has a pattern of bytes to skip, the next state by the byte
# after them (empty: the tag has ended), and the next state for any other byte. The pattern of ``before_name`` skips
# whole attributes.
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
    """Skip a tag, and return its state and position. The state is empty if the tag has ended.

    Args:
        state: a state of ``_TAG_STATES``; ``before_name`` after the byte that ends the tag's name.
        data: the bytes.
        position: index to start at.
        end: index of the end of the bytes.
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
    """Skip a script, and return its escape state, its position, and whether that is the position of its end tag.

    Args:
        escape: ``script``, ``escaped`` or ``double``: whether "<!--" and a nested "<script" hide the end tag.
        data: the bytes.
        position: index to start at.
        end: index of the end of the bytes.
    """
    while True:
        match = (_UNESCAPED_SCRIPT_TOKEN if escape == b"script" else _SCRIPT_TOKEN).search(data, position, end)
        if match is None:
            return escape, held_back(data, position, end), False
        token = match[0].lower()
        if token == b"</script" and escape != b"double":
            return escape, match.start(), True
        # "<!-->" both opens and closes the escape, so its dashes are read again.
        position = match.start() + 2 if token == b"<!--" else match.end()
        escape = _SCRIPT_ESCAPES.get((escape, token), escape)


def held_back(data: bytes, position: int, end: int) -> int:
    """Return where an incomplete end tag or script token may begin at the end of the bytes; ``end`` if none may."""
    found = data.rfind(b"<", max(position, end - _LONGEST_RAW_END_BYTES), end)
    if found < 0:
        found = data.find(b"-", max(position, end - len("--")), end)
    return end if found < 0 else found
