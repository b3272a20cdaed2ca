"""The language that the scripts of pages are written in: old browsers must be able to parse them."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.browser_scripts.page_world import ONE, PURCHASE, run, scripts, snippet
from tests.core.core_world import BROWSER
from tiktok_middleware._wiring import base_code

pytestmark = pytest.mark.node

ACORN = Path(__file__).resolve().parents[1] / "browser/node_modules/acorn/dist/acorn.js"
#: Parse each script of the JSON on standard input with its version of the language; print the errors.
PARSE = """
const acorn = require(process.argv[1]), errors = [];
for (const [name, code, version] of JSON.parse(require('fs').readFileSync(0, 'utf8'))) {
  try { acorn.parse(code, {ecmaVersion: version}); } catch (error) { errors.push(name + ': ' + error.message); }
}
console.log(JSON.stringify(errors));
"""
#: The last version of the language that Safari 12 and WebView 80 know in full.
HELPER_LEVEL = 2019


def errors_of(*given: tuple[str, str, int]) -> list[str]:
    node = shutil.which("node")
    assert node is not None, "node is needed: make system"
    assert ACORN.exists(), "acorn is needed: make modules"
    done = subprocess.run(
        [node, "-e", PARSE, str(ACORN)], input=json.dumps(given), capture_output=True, text=True, check=True, timeout=60
    )
    found: list[str] = json.loads(done.stdout)
    return found


def test_script_in_a_page_is_ecmascript_5() -> None:
    pages = {
        "page": ONE.page("", page=True, copies=[PURCHASE], sealed=[(*PURCHASE, "token")]),
        "refused": ONE.refused(""),
        "late": ONE.late([PURCHASE], [(*PURCHASE, "token")]),
    }
    inline = [(name, body, 5) for name, html in pages.items() for _, body in scripts(html) if body]
    inline.append(("file", ONE.file("", page=True, gate=1, limited=True, wait=True, collect="/c").decode("ascii"), 5))
    assert len(inline) == 4
    for snippet_kind in ("adopt", "gtm"):
        page, refused = base_code(snippet_kind)
        inline += [(f"{snippet_kind} page", f"{page}{{}});", 5), (f"{snippet_kind} refused", f"{refused}0);", 5)]
    assert errors_of(*inline) == []


def test_helper_and_bridges_are_of_2019() -> None:
    bridges = [path.read_text("utf-8") for path in sorted((BROWSER / "bridges").glob("*.js"))]
    more = [(BROWSER / name).read_text("utf-8") for name in ("rules.js", "routes.js", "asks.js", "restored.js")]
    every = "\n".join(
        [(BROWSER / "helper.js").read_text("utf-8"), (BROWSER / "bridge.js").read_text("utf-8"), *bridges, *more]
    )
    assert errors_of(("helper", ONE.helper.decode("ascii"), HELPER_LEVEL)) == []
    assert errors_of(("bridges", snippet(every).helper.decode("ascii"), HELPER_LEVEL)) == []


def test_parser_rejects_newer_language() -> None:
    found = errors_of(("helper", ONE.helper.decode("ascii"), 5), ("chain", "a?.b", HELPER_LEVEL))
    assert [line.partition(":")[0] for line in found] == ["helper", "chain"]


#: What a browser lacks that is older than the helper's language.
OLD: list[dict[str, Any]] = [
    {"head": "old"},
    {"before": "delete Array.prototype.flat"},
    {"head": "old", "before": "delete Array.prototype.flat"},
    {"before": "delete window.document.head.toggleAttribute; Array.prototype.flat = function () {}"},
]
PAGES = {
    "page": ONE.page("/shop", page=True, copies=[PURCHASE]),
    "refused": ONE.refused("/shop"),
    "file": b"<script>"
    + ONE.file("/shop", page=True, gate=1, limited=False, wait=False, collect="").replace(b"</script>", b"")
    + b"</script>",
    "adopt": snippet(base=base_code("adopt")).page("/shop", page=True),
    "gtm": snippet(base=base_code("gtm")).page("/shop", page=True),
}


@pytest.mark.parametrize("name", PAGES)
def test_browser_that_knows_the_language_requests_the_helper_once(name: str) -> None:
    [helper] = run(PAGES[name], nonce="bm9uY2U=")["helpers"]
    assert helper == {"src": f"https://shop.example/shop{ONE.helper_path}", "async": True, "nonce": "bm9uY2U="}


@pytest.mark.parametrize("old", OLD)
@pytest.mark.parametrize("name", PAGES)
def test_older_browser_never_requests_the_helper(name: str, old: dict[str, Any]) -> None:
    diary = run(PAGES[name], **old)
    assert diary["helpers"] == []
    if name == "page":  # the pixel and its events need no helper
        assert [call[0] for call in diary["queue"]] == ["page", "track"]
