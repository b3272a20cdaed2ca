"""The language that the scripts of pages are written in: old browsers must be able to parse them."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.browser_scripts.page_world import ONE, PURCHASE, scripts, snippet
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
        "page with a base": ONE.page("/shop", page=True, has_base=True),
        "refused": ONE.refused(""),
        "refused with a base": ONE.refused("", has_base=True),
        "late": ONE.late([PURCHASE], [(*PURCHASE, "token")]),
    }
    inline = [(name, body, 5) for name, html in pages.items() for _, body in scripts(html) if body]
    inline.append(("file", ONE.file("", page=True, gate=1, limited=True, wait=True, collect="/c").decode("ascii"), 5))
    assert len(inline) == 6
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
