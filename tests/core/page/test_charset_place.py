"""Where the script stands in a document whose encoding only the document names; a bar marks the place."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.strategies import documents, examples, fed, splits
from tests.trees import SCRIPT, outline, parsed, without_ours
from tiktok_middleware.core.page.charset import BOM, PRESCAN_BYTES, prescan
from tiktok_middleware.core.page.head_end import Injector, Search

D = b"<!doctype html>"
M = b"<meta charset=utf-8>"
FAR = b"<!--" + b"x" * PRESCAN_BYTES + b"-->"

PLACED = [
    # in reach before the end of the head
    D + M + b"<title>t</title>|<p>x",
    D + b"<head>" + M + b"|</head><body>" + M,
    b"\xef\xbb\xbf" + D + b"<title>t</title>|<p>" + M,
    # a tag of the body before the meta
    D + b"<head><div hidden></div>" + M + b"|<title>t</title></head><body>x",
    D + b"<head><img src=x><meta http-equiv=Content-Type content='text/html; charset=utf-8'>|<title>t</title>",
    D + b"<title>t</title><body>" + M + b"|<p>x",
    D + b"<body><p>one<b>two" + M + b"|three",
    D + b"<body><table><tr>" + M + b"|<td>x</table>",
    D + b"<body><select>" + M + b"|<option>x</select>",
    b"<title>t</title><h1>x</h1>" + M + b"|",
    # behind the end of the head
    D + b"<head></head>" + M + b"|<body>x",
    D + b"<head></head></html>" + M + b"|<body>x",
    # no head tag
    D + b"<p>x" + M + b"|",
    D + b"text" + M + b"|more",
    # the meta is text to the parser, but not to the prescan
    D + b"<body><script>'" + M + b"'</script>|x",
    D + b"<body><script src=x>'" + M + b"'</script\n>|x",
    D + b"<p><title>" + M + b"</title>|x",
    D + b"<p><textarea>" + M + b"</textarea>|x",
    D + b"<p><noscript>" + M + b"</noscript>|x",
    D + b"<p><style>" + M + b"</style>" + M + b"|",
    # the prescan misses what Chromium sees
    D + b"<p><meta charset=&#117;tf-8>|x",
    D + b"<p><meta http-equiv=content&#x2d;type content='text/html; charset=utf&#45;8'>|x",
    D + b"<p><script>a<b x='</script>" + M + b"|<i title='>'>",
    # nothing names an encoding within reach
    D + b"<title>t</title>|<p>x</p>",
    D + b"|<p>" + FAR + M,
    D + b"|<p><!-- " + M + b" -->",
    D + b"|<p title='" + M + b"'>",
    D + b"|<p><meta charset=nonsense>",
    D + b"|<p><meta content='charset=utf-8'>",
    D + b"<title>" + b"x" * PRESCAN_BYTES + b"</title>|<p>" + M,
]

AT_RISK = [
    D + b"<body><svg>" + M,
    D + b"<body><math><mi>" + M,
    D + b"<frameset>" + M,
    D + b"<body><template>" + M,
    D + b"<body><plaintext>" + M,
    D + b"<body><script>'" + M + b"'" + b" " * PRESCAN_BYTES + b"</script>",
    D + b"<body><script>'" + M,
    D + b"<body>" + b" " * (PRESCAN_BYTES - 40) + b"<meta charset=utf-8 name=" + b"x" * 40 + b">",
    D + b"<body><textarea>" + M,
]


@pytest.mark.parametrize("marked", PLACED)
def test_the_script_never_pushes_the_declaration_out_of_reach(marked: bytes) -> None:
    document = marked.replace(b"|", b"")
    for pieces in ([document], [document[index : index + 1] for index in range(len(document))]):
        injector, out, place = fed(pieces, is_charset_named=False)
        assert out == document
        assert document[:place] + b"|" + document[place:] == marked, injector.reason


@pytest.mark.parametrize("document", AT_RISK)
def test_a_page_that_could_be_read_otherwise_is_left_alone(document: bytes) -> None:
    for pieces in ([document], [document[index : index + 1] for index in range(len(document))]):
        injector, out, place = fed(pieces, is_charset_named=False)
        assert (out, place, injector.reason, injector.is_document) == (document, -1, "charset_at_risk", True)


@pytest.mark.parametrize("marked", PLACED)
def test_a_charset_in_the_response_needs_no_care(marked: bytes) -> None:
    _, _, place = fed([marked.replace(b"|", b"")])
    assert place <= marked.index(b"|")


LARGE = b"<script data-x>" + b"x" * 3000 + b"</script>"
declarations = st.sampled_from([M, M, b"", b"<meta http-equiv=content-type content='text/html;charset=latin1'>"])
raw = st.sampled_from(
    [b"<script>'" + M + b"'</script>", b"<title>" + M + b"</title>", b"<!--" + M + b"-->", b"</head>"]
)
pages = st.tuples(documents(templates=False), declarations, raw, declarations, documents(templates=False)).map(b"".join)


@settings(max_examples=examples(400))
@given(pages)
def test_the_browser_finds_the_same_declaration_and_the_same_tree(document: bytes) -> None:
    _, _, place = fed([document], is_charset_named=False)
    if place < 0 or document.startswith(BOM):
        return
    changed = document[:place] + LARGE + document[place:]
    before = prescan(document)
    assert prescan(changed) == before
    plain, after = parsed(document), parsed(document[:place] + SCRIPT + document[place:])
    assert (without_ours(plain), len(without_ours(after))) == ([], 1)
    assert outline(after) == outline(plain)


@settings(max_examples=examples(300))
@given(st.data())
def test_any_split_finds_the_same_place(data: st.DataObject) -> None:
    document = data.draw(pages)
    whole, _, place = fed([document], is_charset_named=False)
    for pieces in (data.draw(splits(document)), [document[i : i + 1] for i in range(len(document))] or [b""]):
        injector, out, found = fed(pieces, is_charset_named=False, empty_end=data.draw(st.booleans()))
        assert (out, found, injector.is_document, injector.reason) == (document, place, whole.is_document, whole.reason)


def test_no_more_than_1024_bytes_are_held() -> None:
    """Bytes before the end of the head leave at once, and the rest as soon as it cannot hold a declaration."""
    injector = Injector(is_charset_named=False)
    place = injector.feed(D + b"<title>t</title><p>", last=False)
    assert (place.search, place.cut) == (Search.MORE, len(D + b"<title>t</title>"))
    place = injector.feed(b"x" * PRESCAN_BYTES, last=False)
    assert (place.search, place.cut) == (Search.FOUND, 0)
