"""Real pages, from packages that ship them, and documents made like the heads of real pages."""

from __future__ import annotations

import random
import re
import subprocess
import sys
import tarfile
import venv
from collections.abc import Iterator
from pathlib import Path

__all__ = ["DEBIAN_PACKAGES", "PACKAGES", "debian", "generated", "html5lib_cases", "packaged"]

#: Source distributions that hold saved pages of news sites, blogs and shops.
PACKAGES = ("inscriptis==2.7.6", "newspaper4k==0.9.6", "trafilatura==2.3.1")
#: Debian's packages that hold documentation as HTML, made by ten different tools.
DEBIAN_PACKAGES = (
    *("apt-doc", "bash-doc", "debian-policy", "debian-reference-en", "developers-reference", "git-doc"),
    *("python3.11-doc", "sqlite3-doc"),
)

# Heads of 656 saved pages: the median was 15 KB for news and 76 KB for shops, every tenth was longer than 134 and 249 KB.
_MEDIAN_BYTES, _SIGMA = 30_000, 1.3
_LONGEST_BYTES = 900_000


def packaged(package: str, folder: Path) -> list[bytes]:
    """Download a source distribution, by name and version, and return its pages.

    Args:
        package: name and version.
        folder: for the download.
    """
    return list(_files(_source(package, folder, sys.executable), (".html", ".htm")))


def html5lib_cases(folder: Path) -> list[bytes]:
    """Return the documents of html5lib's own tests of tree construction.

    Its source distribution can only be read with an old setuptools, which runs on Python 3.11 and older.
    """
    venv.create(folder / "venv", with_pip=True)
    python = str(folder / "venv" / "bin" / "python")
    _run(python, "-m", "pip", "install", "setuptools==65.7.0", "wheel")
    archive = _source("html5lib==1.1", folder, python, "--no-build-isolation")
    return [case for file in _files(archive, (".dat",), "/tree-construction/") for case in _cases(file)]


def debian(package: str, folder: Path) -> list[bytes]:
    """Download one of Debian's packages, in the version of this release, and return its pages."""
    _run("apt-get", "download", package, folder=folder)
    (archive,) = folder.glob("*.deb")
    _run("dpkg-deb", "-x", str(archive), str(folder / "files"))
    return [file.read_bytes() for file in sorted((folder / "files").rglob("*.html")) if file.is_file()]


def _source(package: str, folder: Path, python: str, *options: str) -> Path:
    """Download a source distribution and return its archive."""
    _run(python, "-m", "pip", "download", "--no-deps", "--no-binary", ":all:", *options, package, "-d", str(folder))
    (archive,) = folder.glob("*.tar.gz")
    return archive


def _run(*command: str, folder: Path | None = None) -> None:
    subprocess.run(command, check=True, capture_output=True, timeout=300, cwd=folder)


def _files(archive: Path, endings: tuple[str, ...], folder: str = "") -> Iterator[bytes]:
    with tarfile.open(archive) as opened:
        for member in opened:
            if member.isfile() and member.name.endswith(endings) and folder in member.name:
                file = opened.extractfile(member)
                assert file is not None
                yield file.read()


def _cases(file: bytes) -> Iterator[bytes]:
    """Yield the documents of one file; parts of documents are left out."""
    for case in re.split(rb"(?:^|\n)#data\n", file)[1:]:
        document, _, expected = case.partition(b"\n#errors")
        if b"\n#document-fragment" not in expected:
            yield document


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
