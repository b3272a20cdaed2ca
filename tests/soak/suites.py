"""Fetches another project's test suite and runs it in a process of its own; it judges nothing."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tarfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

__all__ = ["SUITES", "Outcome", "Suite"]

_HARNESS = Path(__file__).resolve().parent
_FETCH_S = 240
_RUN_S = 300


@dataclass(frozen=True)
class Suite:
    """A project's tests, from its source distribution.

    Attributes:
        name, version: of the project, as on PyPI.
        requirements: what its tests need and we do not; installed beside us, not among us.
        plugin: the module of the harness that wraps its apps.
    """

    name: str
    version: str
    requirements: tuple[str, ...]
    plugin: str

    def fetch(self, folder: Path) -> Prepared:
        """The suite, unpacked with its requirements in the folder; the network is asked for both."""
        pin = f"{self.name}=={self.version}"
        _pip("download", "--no-deps", "--no-binary", self.name, "--dest", str(folder), pin)
        archive = next(folder.glob(f"{self.name}-*.tar.gz"))
        with tarfile.open(archive) as packed:
            packed.extractall(folder, filter="data")
        _pip("install", "--target", str(folder / "site"), *self.requirements)
        return Prepared(self, folder, archive.with_name(f"{self.name}-{self.version}"))


@dataclass(frozen=True)
class Outcome:
    """One run.

    Attributes:
        results: what became of each test: passed, failed, skipped.
        report: the harness's counts, faults and missed documents; empty for a bare run.
        printed: what pytest printed, for a reader.
    """

    results: Mapping[str, str]
    report: Mapping[str, Any]
    printed: str


@dataclass(frozen=True)
class Prepared:
    """A suite that can be run."""

    suite: Suite
    folder: Path
    sources: Path

    def run(self, mode: str, sink: str) -> Outcome:
        """The outcome of one run.

        Args:
            mode: ``bare``; ``plain``, where every app is wrapped; or ``busy``, where besides every request tracks
                an event and every HTML answer is made a document.
            sink: base URL of a stand-in for the Events API.
        """
        results, report = self.folder / f"{mode}.xml", self.folder / f"{mode}.json"
        plugin = [] if mode == "bare" else ["-p", self.suite.plugin]
        command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *plugin, f"--junitxml={results}"]
        done = subprocess.run(
            [*command, "tests"],
            cwd=self.sources,
            env=self._environment(mode, sink, report),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=_RUN_S,
            check=False,
        )
        printed = done.stdout.decode(errors="replace")
        assert results.exists(), printed[-4000:]
        found = json.loads(report.read_text()) if report.exists() else {}
        return Outcome(_results(results), found, printed)

    def _environment(self, mode: str, sink: str, report: Path) -> dict[str, str]:
        kept = {
            name: value for name, value in os.environ.items() if not name.startswith(("TIKTOK_", "PYTEST_", "COV_"))
        }
        return {
            **kept,
            "PYTHONPATH": os.pathsep.join([str(self.folder / "site"), str(_HARNESS)]),
            "TIKTOK_PIXEL_ID": "C0000000000000000000",
            "TIKTOK_ACCESS_TOKEN": "token-for-tests",
            "TIKTOK_API_URL": f"{sink}/open_api/v1.3",
            "TIKTOK_OUTBOX": f"sqlite:///{self.folder / mode}.sqlite3",
            "SOAK_MODE": mode,
            "SOAK_REPORT": str(report),
        }


SUITES = (
    Suite(
        "starlette",
        "1.10.0",
        (
            "httpx2[zstd]==2.16.2",
            "pyyaml==6.0.3",
            "blockbuster==1.5.29",
            "opentelemetry-sdk==1.45.2",
            "importlib-metadata==10.2.0",
        ),
        "harness.starlette_suite",
    ),
    # Its conftest uses a name that pytest 9.1 took away.
    Suite("flask", "3.1.3", ("pytest==8.4.2", "python-dotenv==1.2.4"), "harness.flask_suite"),
)


def _pip(*arguments: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=_FETCH_S,
        check=False,
    )
    assert done.returncode == 0, done.stdout.decode(errors="replace")[-4000:]


def _results(path: Path) -> dict[str, str]:
    found: dict[str, str] = {}
    for case in ET.parse(path).iter("testcase"):
        name = f"{case.get('classname')}::{case.get('name')}"
        bad = case.find("failure") is not None or case.find("error") is not None
        skipped = case.find("skipped") is not None
        result = "failed" if bad else "skipped" if skipped else "passed"
        found[name] = "failed" if found.get(name) == "failed" else result
    return found
