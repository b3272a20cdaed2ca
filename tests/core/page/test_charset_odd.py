"""Odd documents in odd pieces: the script never changes what an independent reader takes for their charset or tree."""

from __future__ import annotations

import pytest
from html5lib._inputstream import EncodingParser

from tests.strategies import fed
from tests.trees import SCRIPT, outline, parsed, without_ours
from tiktok_middleware.core.page.charset import PRESCAN_BYTES

D = b"<!doctype html>"
M = b"<meta charset=utf-8>"
L = b"<meta charset=windows-1252>"
LARGE = b"<script data-x>" + b"x" * 3000 + b"</script>"

#: By what is odd about the document. All of them name no charset in the response.
DOCUMENTS = {
    "two metas in body": D + b"<p>" + M + L,
    "meta after footer": D + b"<body><header><nav>a</nav></header>" + M + b"<main>x",
    "uppercase equiv": D + b"<BODY><META HTTP-EQUIV=CONTENT-TYPE CONTENT=TEXT/HTML;CHARSET=UTF-8>x",
    "equiv quoted charset": D + b"<p><meta http-equiv=content-type content='text/html; charset=\"utf-8\"'>x",
    "equiv refresh then meta": D + b"<p><meta http-equiv=refresh content='9;url=/?charset=latin1'>" + M,
    "content first": D + b"<p><meta content='text/html;charset=utf-8' http-equiv=content-type>x",
    "charset in unquoted": D + b"<p><meta charset=utf-8/>x",
    "slash": D + b"<p><meta/charset=utf-8/>x",
    "newlines": D + b"<p><meta\n\tcharset\r\n=\x0c'utf-8'\n>x",
    "duplicate attribute": D + b"<p><meta charset=utf-8 charset=latin1>x",
    "attribute before": D + b"<p><meta name=x charset=utf-8>x",
    "bogus then": D + b"<p><?xml encoding='latin1'?>" + M,
    "cdata": D + b"<p><![CDATA[" + M + b"]]>x",
    "comment unclosed": D + b"<p><!--" + M + b"x",
    "comment dashes": D + b"<p><!--->" + M + b"x",
    "comment bang": D + b"<p><!--a--!>" + M + b"x",
    "comment nested": D + b"<p><!--<!--" + M + b"-->x",
    "attr with gt": D + b"<p title='>" + M + b"'>x",
    "attr unquoted gt": D + b"<p title=>" + M + b"x",
    "attr quote mess": D + b"<p a='\"' b=\"'\">" + M,
    "tag with nul": D + b"<p\x00>" + M,
    "xmp": D + b"<body><xmp>" + M + b"</xmp>x",
    "iframe": D + b"<body><iframe>" + M + b"</iframe>x",
    "noembed": D + b"<body><noembed>" + M + b"</noembed>x",
    "noframes": D + b"<body><noframes>" + M + b"</noframes>x",
    "noscript": D + b"<body><noscript>" + M + b"</noscript>x",
    "noscript in head": D + b"<head><noscript>" + M + b"</noscript></head><body>x",
    "template in head": D + b"<head><template>" + M + b"</template></head><body>x",
    "script in head": D + b"<head><script>var a='" + M + b"'</script></head><body>x",
    "json in head": D + b'<head><script type=application/json>{"a":"' + M + b'"}</script></head>',
    "title in head": D + b"<head><title>" + M + b"</title></head>",
    "style in head": D + b"<head><style>/*" + M + b"*/</style></head>",
    "svg title": D + b"<body><svg><title>" + M + b"</title></svg>x",
    "math annotation": D + b"<body><math><annotation-xml encoding=text/html>" + M + b"</annotation-xml></math>",
    "select": D + b"<body><select><option>" + M + b"</select>x",
    "table": D + b"<table>" + M + b"<tr><td>x</table>",
    "caption": D + b"<table><caption>" + M + b"</caption></table>",
    "button": D + b"<body><button>" + M + b"</button>",
    "formatting": D + b"<b><i>" + M + b"</b>x</i>",
    "adoption": D + b"<p><b><p>" + M + b"</b>x",
    "two bodies": D + b"<body a=1><body b=2>" + M + b"x",
    "after body": D + b"<body>x</body>" + M,
    "after html": D + b"<body>x</body></html>" + M,
    "frameset noframes": D + b"<frameset></frameset><noframes>" + M + b"</noframes>",
    "xml decl": b"<?xml version='1.0' encoding='utf-8'?>" + D + b"<p>" + M,
    "xml decl only": b"<?xml version='1.0' encoding='utf-8'?>" + D + b"<html><head></head><body>\xc3\xbc",
    "no doctype": b"<p>" + M + b"x",
    "text first": b"hello " + M + b"x",
    "meta first": M + b"<title>x</title><p>y",
    "utf16 label": D + b"<p><meta charset=utf-16>x",
    "x-user-defined": D + b"<p><meta charset=x-user-defined>x",
    "replacement": D + b"<p><meta charset=iso-2022-kr>x",
    "unknown": D + b"<p><meta charset=klingon>" + M,
    "empty": D + b"<p><meta charset=''>" + M,
    "space label": D + b"<p><meta charset='  utf-8 '>x",
    "at 1023": D + b"<p>" + b"x" * (1024 - len(D) - 3 - len(M) - 1) + M + b"y",
    "at 1024": D + b"<p>" + b"x" * (1024 - len(D) - 3 - len(M)) + M + b"y",
    "at 1025": D + b"<p>" + b"x" * (1024 - len(D) - 3 - len(M) + 1) + M + b"y",
    "head to 1000": D + b"<head><title>" + b"x" * 960 + b"</title></head>" + M,
    "entity": D + b"<p><meta charset=utf&#45;8>x",
    "entity equiv": D + b"<p><meta http-equiv=content-type content='text/html;charset&#61;utf-8'>x",
    "cond comment": D + b"<!--[if IE]>" + L + b"<![endif]--><p>" + M,
    "cond comment 2": D + b"<!--[if !IE]><!-->" + M + b"<!--<![endif]--><p>x",
    "plaintext": D + b"<body><plaintext>" + M,
    "textarea": D + b"<body><textarea>" + M + b"</textarea>x",
    "script comment": D + b"<body><script><!--<script>" + M + b"</script>--></script>x",
    "lt": D + b"<p>1 < 2 " + M,
    "end tag attr": D + b"</p title='" + M + b"'>" + M,
    "meta end": D + b"<p></meta charset=latin1>" + M,
    "metax": D + b"<p><metadata charset=latin1>" + M,
    "image": D + b"<image>" + M + b"x",
    "isindex": D + b"<isindex>" + M,
    "dialog": D + b"<body><dialog open>" + M + b"</dialog>",
    "custom element": D + b"<my-app>" + M + b"</my-app>",
    "hidden input in table": D + b"<table><input type=hidden>" + M + b"</table>",
    "ruby": D + b"<ruby><rt>" + M + b"</ruby>",
    "object": D + b"<object>" + M + b"</object>",
    "body script late": D + b"<p>" + b"y" * 500 + b"<script>" + b"z" * 300 + b"</script>" + M,
}

#: No place keeps the declaration in reach and the tree as it is.
LEFT_ALONE = {"at 1025", "frameset noframes", "math annotation", "plaintext", "svg title"}


def charset(document: bytes) -> str | None:
    """Return the charset that another reader finds in the first bytes."""
    found = EncodingParser(document[:PRESCAN_BYTES]).getEncoding()
    return str(found.name) if found else None


@pytest.mark.parametrize("name", DOCUMENTS)
def test_odd_document_keeps_its_charset_and_its_tree(name: str) -> None:
    document = DOCUMENTS[name]
    injector, out, place = fed([document], is_charset_named=False, is_page=True)
    assert out == document
    assert (place < 0, injector.reason) == ((True, "charset_at_risk") if name in LEFT_ALONE else (False, ""))
    for size in (1, 2, 3, 7, 13, 64, 500):
        pieces = [document[start : start + size] for start in range(0, len(document), size)]
        again, out, found = fed(pieces, is_charset_named=False, is_page=True)
        assert (out, found, again.reason) == (document, place, injector.reason), size
    if place < 0:
        return
    assert charset(document[:place] + LARGE + document[place:]) == charset(document)
    before, after = parsed(document), parsed(document[:place] + SCRIPT + document[place:])
    assert (without_ours(before), len(without_ours(after))) == ([], 1)
    assert outline(after) == outline(before)
