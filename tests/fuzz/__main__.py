"""``python -m tests.fuzz TARGET``: search for some seconds; ``python -m tests.fuzz TARGET FILE``: one input again."""

from __future__ import annotations

import argparse
import hashlib
import random
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

_TARGETS = ("pages", "requests", "reports")
_INSTRUMENTED = ["tiktok_middleware", "html5lib"]


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("target", choices=_TARGETS)
    parser.add_argument("file", type=Path, nargs="?", help="an input that was saved, to be checked once")
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--folder", type=Path, default=Path(".fuzz"), help="for inputs that were found worth keeping")
    return parser.parse_args()


def _search(name: str, seconds: int, folder: Path) -> None:
    """Does not come back: the process ends with 0, or with something else where an input broke a promise."""
    atheris: Any = import_module("atheris")
    with atheris.instrument_imports(include=_INSTRUMENTED):
        target: Any = import_module(f"tests.fuzz.{name}")
    corpus, seeds, findings = (folder / name / part for part in ("corpus", "seeds", "findings"))
    for part in (corpus, seeds, findings):
        part.mkdir(parents=True, exist_ok=True)
    for seed in target.seeds():
        (seeds / _digest(seed)).write_bytes(seed)
    words = folder / name / "words"
    words.write_text("".join(f'"{_escaped(word)}"\n' for word in target.WORDS if word))

    def check(data: bytes) -> None:
        try:
            target.check(data)
        except BaseException:
            saved = findings / f"crash-{_digest(data)}"
            saved.write_bytes(data)
            print(f"\nA promise is broken by {data!r}\nOnce more: python -m tests.fuzz {name} {saved}", file=sys.stderr)
            raise

    def mutated(data: bytes, max_bytes: int, seed: int) -> bytes:
        """Every second time some words more: by bytes alone it takes long until three of them stand side by side."""
        chance = random.Random(seed)
        if seed % 2:
            return bytes(atheris.Mutate(data, max_bytes))
        at = chance.randint(0, len(data))
        words = b"".join(chance.choices(target.WORDS, k=chance.randint(1, 4)))
        return (data[:at] + words + data[at + chance.choice((0, 0, 1, len(words))) :])[:max_bytes]

    atheris.Runtime(
        [
            sys.argv[0],
            f"-max_total_time={seconds}",
            "-max_len=1024",
            "-timeout=20",
            "-print_final_stats=1",
            f"-dict={words}",
            f"-artifact_prefix={findings}/",
            str(corpus),
            str(seeds),
        ],
        check,
        custom_mutator=mutated,
    )
    atheris.Fuzz()


def _digest(data: bytes) -> str:
    return hashlib.sha1(data, usedforsecurity=False).hexdigest()


def _escaped(word: bytes) -> str:
    return "".join(f"\\x{byte:02x}" for byte in word)


if __name__ == "__main__":
    given = _arguments()
    if given.file is None:
        _search(given.target, given.seconds, given.folder)
    else:
        import_module(f"tests.fuzz.{given.target}").check(given.file.read_bytes())
