"""The shop as an old uWSGI without ``--enable-threads`` would run it: since 2.0.27 threads run unasked."""

from __future__ import annotations

import uwsgi

uwsgi.version_info = (2, 0, 26, 0, b"")

from tests.durability.wsgi_app import app  # noqa: E402  # the module has to look old first

__all__ = ["app"]
