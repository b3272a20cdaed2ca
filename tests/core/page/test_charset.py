"""What names a document's encoding before it is parsed, typed by hand, and compared with two other readers."""

from __future__ import annotations

import pytest
import webencodings.labels  # type: ignore[import-untyped]
from html5lib._inputstream import EncodingParser
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.strategies import examples
from tiktok_middleware.core.page.charset import PRESCAN_BYTES, declared_by, is_label, prescan
from tiktok_middleware.core.page.charset_labels import LABELS

# A bar on each side of the meta that decides.
DECIDES = [
    b"|<meta charset=utf-8>|",
    b"<html><head>|<META CHARSET='UTF-8'>|",
    b'|<meta charset="utf-8"/>|',
    b"|<meta/charset=utf-8>|",
    b"|<meta name=x charset = utf-8 >|",
    b"|<meta charset=' utf-8 '>|",
    b"|<meta charset=latin1>|<meta charset=utf-8>",
    b"|<meta charset=utf-16>|",
    b"<meta charset=nonsense>|<meta charset=utf-8>|",
    b"<meta charset=nonsense charset=utf-8>|<meta charset=utf-8>|",
    b"|<meta http-equiv=Content-Type content='text/html; charset=utf-8'>|",
    b"|<meta content='text/html; charset=utf-8' http-equiv=content-type>|",
    b"|<meta http-equiv=content-type content='charset = \"utf-8\"'>|",
    b"<meta http-equiv=refresh content='charset=utf-8'>|<meta charset=utf-8>|",
    b"<meta content='charset=utf-8'>|<meta charset=utf-8>|",
    b"<!-- <meta charset=latin1> -->|<meta charset=utf-8>|",
    b"<!-->|<meta charset=utf-8>|-->",
    b"<p title='<meta charset=latin1>'>|<meta charset=utf-8>|",
    b"<p title=a'>|<meta charset=utf-8>|",
    b"<! <meta charset=latin1>|<meta charset=utf-8>|",
    b"</ <meta charset=latin1>|<meta charset=utf-8>|",
    b"<?php '<meta charset=latin1>|<meta charset=utf-8>|",
    b"<script>'|<meta charset=utf-8>|'</script>",  # the prescan reads no raw text
    b"<title>|<meta charset=utf-8>|</title>",
    b"<noscript>|<meta charset=utf-8>|</noscript>",
    b"<textarea>|<meta charset=utf-8>|</textarea>",
    b"< <meta charset=utf-8>".replace(b"<meta charset=utf-8>", b"|<meta charset=utf-8>|"),
    b"<metacharset=latin1>|<meta charset=utf-8>|",
    b"</meta charset=latin1>|<meta charset=utf-8>|",
    b" " * (PRESCAN_BYTES - 20) + b"|<meta charset=utf-8>|",
]
NOTHING = [
    b"",
    b"<",
    b"<meta",
    b"<meta charset=utf-8",
    b"<meta charset='utf-8",
    b"<meta charset=>",
    b"<meta charset=''>",
    b"<meta charset>",
    b"<meta ='charset=utf-8'>",
    b"<meta http-equiv=content-type content='text/html'>",
    b"<meta http-equiv=content-type content='charset'>",
    b"<meta http-equiv=content-type content='charset=\"utf-8'>",
    b"<meta http-equiv=content-type content='charset=utf-8' charset=nonsense>",
    b"<!-- <meta charset=utf-8>",
    b"<!-- --!><meta charset=utf-8>",
    b"<p title='<meta charset=utf-8>",
    b"</p title='<meta charset=utf-8>",
    b"<mETa-charset=utf-8>",
    b" " * (PRESCAN_BYTES - 19) + b"<meta charset=utf-8>",
]


@pytest.mark.parametrize("marked", DECIDES)
def test_the_meta_that_decides_is_found(marked: bytes) -> None:
    before, meta, after = marked.split(b"|")
    document = before + meta + after
    assert prescan(document) == (len(before), len(before) + len(meta))
    assert declared_by(meta)


@pytest.mark.parametrize("document", NOTHING)
def test_what_names_no_encoding_decides_nothing(document: bytes) -> None:
    assert prescan(document) is None


TAGS = st.sampled_from(
    [
        *(
            "<p>",
            "</p>",
            "text",
            " ",
            "<br/>",
            "<!doctype html>",
            "<?x y>",
            '<p a="<meta charset=latin1>" b>',
            "<p a='>'>",
        ),
        *(
            "<meta charset=utf-8>",
            "<META CHARSET = 'x'>",
            "<meta name=x content='charset=utf-8'>",
            "<script>'",
            "'</script>",
        ),
        *("<meta http-equiv=Content-Type content='text/html; charset=\"latin1\"'>", "<title>", "</title>", "<p a=b/c>"),
        *("<meta content=charset=utf-8 http-equiv=content-type>", "<meta charset=nonsense>", "<p a='"),
    ]
)


@settings(max_examples=examples(400))
@given(st.lists(TAGS, max_size=8).map("".join).map(str.encode))
def test_the_prescan_is_that_of_another_reader(document: bytes) -> None:
    theirs = EncodingParser(document).getEncoding()
    assert (prescan(document) is not None) == (theirs is not None)


def test_the_labels_are_those_of_the_standard() -> None:
    assert frozenset(webencodings.labels.LABELS) == LABELS


@pytest.mark.parametrize("text", ["utf-8", "UTF-8", " utf8\n", "latin1", "Shift_JIS", "unicode-1-1-utf-8"])
def test_labels_are_read_as_browsers_read_them(text: str) -> None:
    assert is_label(text)
