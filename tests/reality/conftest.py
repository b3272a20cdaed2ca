"""The browser, the sandbox and the shops of the browser tests."""

from __future__ import annotations

from tests.browser.conftest import browser, playwright, sandbox_server, start, visit  # noqa: F401  # fixtures
