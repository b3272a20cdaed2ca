"""NiceGUI on FastAPI: pages whose content comes over a WebSocket."""

from __future__ import annotations

import os
from typing import Any

from fastapi import FastAPI
from nicegui import ui

from tiktok_middleware.asgi import TikTokMiddleware

api = FastAPI()


@ui.page("/")
def index() -> None:
    ui.label("Größe").mark("size")
    ui.button("Add", on_click=lambda: ui.label("added"))


@api.get("/api/products")
def products() -> list[dict[str, str]]:
    return [{"name": "mug"}]


ui.run_with(api, storage_secret="for tests")
app: Any = api if "BARE" in os.environ else TikTokMiddleware(api)
