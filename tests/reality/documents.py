"""Real pages, from packages that ship them, and documents made like the heads of real pages."""

from __future__ import annotations

import random
import subprocess
import sys
import tarfile
from pathlib import Path

__all__ = ["PACKAGES", "generated", "packaged"]

#: Source distributions that hold saved pages of news sites, blogs and shops.
PACKAGES = ("newspaper4k==0.9.6", "trafilatura==2.3.1")

# Heads of 656 saved pages: the median was 15 KB for news and 76 KB for shops, every tenth was longer than 134 and 249 KB.
_MEDIAN_BYTES, _SIGMA = 30_000, 1.3
_LONGEST_BYTES = 900_000


def packaged(package: str, folder: Path) -> list[bytes]:
    """Download a source distribution, by name and version, and return its pages.

    Args:
        package: name and version.
        folder: for the download.
    """
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--no-binary", ":all:", package, "-d", str(folder)]
    subprocess.run(command, check=True, capture_output=True, timeout=300)
    (archive,) = folder.glob("*.tar.gz")
    with tarfile.open(archive) as opened:
        members = [member for member in opened if member.isfile() and member.name.endswith((".html", ".htm"))]
        found = [opened.extractfile(member) for member in members]
        return [file.read() for file in found if file is not None]


def generated(count: int, seed: int) -> list[bytes]:
    """Documents whose heads have the sizes, quotes, comments and small scripts of real ones."""
    rng = random.Random(seed)
    return [_document(rng) for _ in range(count)]


def _document(rng: random.Random) -> bytes:
    size = min(int(rng.lognormvariate(0, _SIGMA) * _MEDIAN_BYTES), _LONGEST_BYTES)
    parts = ["<!DOCTYPE html>\n", rng.choice(["<html lang=de>", '<html class="no-js" lang="en">\n', ""])]
    parts += [
        rng.choice(["<head>\n", "<head>", ""]),
        rng.choice(["", '<meta charset="utf-8">', "<meta charset=utf-8>"]),
    ]
    length = 0
    while length < size:
        part = _PARTS[rng.randrange(len(_PARTS))](rng)
        parts.append(part)
        length += len(part)
    parts.append(rng.choice(["</head>\n<body>", "<body class='a>b'>", "", "<!-- x --></head><body>"]))
    parts.append(rng.choice(["<p>Größe</p>", "<h1>it's</h1><p>x", "text", "<div><script>'</head>'</script></div>"]))
    return "".join(parts).encode()


def _words(rng: random.Random, most: int) -> str:
    words = ["it's", "a", "größe", "=>", "x>y", "9,90 €", "&amp;", "b", "c-d", "don't", "https://x.example/?a=b&c=d"]
    return " ".join(rng.choice(words) for _ in range(rng.randrange(1, most)))


_PARTS = (
    lambda rng: f'<meta name="description" content="{_words(rng, 20)}">\n',
    lambda rng: f"<meta property='og:title' content='{_words(rng, 9).replace(chr(39), '')}' />",
    lambda rng: f'<link rel="stylesheet" href="/a.css?{rng.random()}" media=all />\n',
    lambda rng: "<link rel='preload' href='/b.js' as=script crossorigin>",
    lambda rng: f"<title>{_words(rng, 8)}</title>",
    lambda rng: f"<script>var a = '{rng.random()}'; if (a<b) {{ {_words(rng, 40)} }}</script>\n",
    lambda rng: f'<script type="application/ld+json">{{"a": "{_words(rng, 60).replace(chr(34), "")}"}}</script>',
    lambda rng: "<script>document.write('<p>' + x + '</p>')</script>",
    lambda rng: f"<script><!--\n{_words(rng, 9)}\n//--></script>",
    lambda rng: f"<style>a>b{{content:'{_words(rng, 30).replace('<', '')}'}}</style>",
    lambda rng: f"<!-- {_words(rng, 12)} -->",
    lambda rng: "<!--[if IE]><link rel=x><![endif]-->",
    lambda rng: '<noscript><img src="/p.gif" alt=""></noscript>\n',
    lambda rng: "\n\t  ",
)
