"""The first requests of a process load nothing on their own thread: an import or a file would block an event loop."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.browser.servers import ROOT

# The numbering plan of one more country, and a file of no bytes beside the outbox, once: each takes some 100 us.
_SMALL = re.compile(r"import 'phonenumbers\.data\.region_|open '.*\.helper'")


def loaded(adapter: str, **options: Any) -> list[str]:
    """Run the program in a process of its own, and return what its requests load."""
    command = [sys.executable, "-m", "tests.first_requests", adapter, json.dumps(options)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120, check=True)
    found: list[str] = json.loads(done.stdout)
    return [load for load in found if not _SMALL.match(load)]


@pytest.mark.parametrize(
    ("adapter", "options"), [("wsgi", {}), ("asgi", {"consent": "required", "page_view": "matched"})]
)
def test_first_requests_load_nothing_on_their_own_thread(adapter: str, options: dict[str, Any], tmp_path: Path) -> None:
    assert loaded(adapter, outbox=f"sqlite:///{tmp_path}/outbox.sqlite3", **options) == []
