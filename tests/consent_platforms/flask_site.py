"""The same shop under Flask with Flask-Consent."""

from __future__ import annotations

import warnings
from typing import Any

from flask import Flask, redirect, request
from werkzeug.wrappers import Response

with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)  # what the package imports
    from flask_consent import Consent

from tiktok_middleware.contrib.flask import TikTok, tiktok_from

_PAGE = """<!doctype html><html lang="en"><head><meta charset="utf-8"><link rel="icon" href="data:,"><title>Shop</title>
</head><body><h1>Shop</h1><a id="next" href="/two">next</a><button id="ask" onclick="fetch('/ask', {method: 'POST'})">ask</button>
<form method="post" action="/buy"><button id="buy">buy</button></form></body></html>"""

application = Flask(__name__)
consent: Any = Consent(application)
for name in ("required", "marketing", "stats"):
    consent.add_category(name, name, "", default=False, is_required=name == "required")
TikTok(application)


@application.post("/ask")
def ask() -> dict[str, str]:
    tiktok_from(request).track("Lead")
    return {}


@application.post("/buy")
def buy() -> Response:
    tiktok_from(request).track("AddToCart", value=9, currency="EUR")
    return redirect("/thanks", 303)


@application.get("/")
@application.get("/<path:path>")
def show(path: str = "") -> str:
    tiktok_from(request).track("ViewContent", content_id=f"/{path}", value=5, currency="EUR")
    return _PAGE
