"""Make the page scripts small: ``python -m tests.built_scripts`` writes ``tiktok_middleware/browser/built``.

The files of ``tiktok_middleware/browser`` are minified by terser (https://terser.org), most of them by themselves. Python
writes the last argument of those that are calls.
"""

from __future__ import annotations

import subprocess
from pathlib import Path

__all__ = ["BUILT", "SOURCES", "built", "main", "names"]

_ROOT = Path(__file__).parents[1]
_TERSER = _ROOT / "tests" / "browser" / "node_modules" / "terser" / "bin" / "terser"
SOURCES = _ROOT / "tiktok_middleware" / "browser"
BUILT = SOURCES / "built"

#: Scripts of several files: the others replace the marked part of the page's script, follow it, or stand before the first.
_MADE_OF = {
    "pixel_adopt.js": ("pixel.js", "waits.js", "adopt.js"),
    "pixel_gtm.js": ("pixel.js", "gtm.js"),
    "pixel_matched.js": ("pixel.js", "waits.js", "matched.js"),
    "stub_gtm.js": ("stub.js", "gtm_refused.js"),
}
_REPLACES = "pixel_gtm.js"
#: Calls that are cut off before their last argument. They run before we know the browser.
_CUT_OFF = ("pixel.js", "stub.js", *_MADE_OF)
_ARGUMENT = "ARGUMENT"


def names() -> list[str]:
    """Return the names of the built scripts, relative to their folder."""
    found = {str(path.relative_to(SOURCES)) for path in SOURCES.rglob("*.js") if BUILT not in path.parents}
    return sorted(found - {part for _, *parts in _MADE_OF.values() for part in parts} | set(_MADE_OF))


def source(name: str) -> str:
    """Return the readable text of a built script."""
    if name not in _MADE_OF:
        return (SOURCES / name).read_text("ascii")
    base, *parts = ((SOURCES / one).read_text("ascii") for one in _MADE_OF[name])
    marked, mark, after = base.partition("// </ttq>")
    if not mark:
        return "".join(parts) + base
    return (marked.partition("// <ttq>")[0] if name == _REPLACES else marked) + "".join(parts) + after


def built(name: str) -> str:
    """Return a script as terser makes it."""
    is_cut_off = name in _CUT_OFF
    # `core/page/head_end.py` recognises the page's script by its first characters: they stay as they are.
    compress = "passes=3,negate_iife=false" + (",join_vars=false" if is_cut_off else "")
    kept = "w,d,c,t" if is_cut_off else "d,t"
    options = ["--compress", compress, "--mangle", f"reserved=[{kept}]", "--format", "ascii_only"]
    options += ["--ecma", "5" if is_cut_off else "2019"]
    text = source(name) + (f"{_ARGUMENT});" if is_cut_off else "")
    made = subprocess.run(
        ["node", str(_TERSER), *options], input=text, capture_output=True, text=True, check=True, timeout=60
    ).stdout.strip()
    return made.removesuffix(f"{_ARGUMENT});") if is_cut_off else f"{made}\n"


def main() -> None:
    """Write all built scripts."""
    for name in names():
        (BUILT / name).parent.mkdir(parents=True, exist_ok=True)
        (BUILT / name).write_text(built(name), "ascii")


if __name__ == "__main__":
    main()
