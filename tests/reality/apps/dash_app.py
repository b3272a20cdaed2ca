"""Dash with one callback."""

from __future__ import annotations

import os
from typing import Any

from dash import Dash, Input, Output, dcc, html

from tiktok_middleware.wsgi import TikTokMiddleware

dash: Any = Dash(__name__)
dash.layout = html.Div([dcc.Input(id="name", value="it's"), html.P(id="greeting")])


@dash.callback(Output("greeting", "children"), Input("name", "value"))
def greet(name: str) -> str:
    return f"Hello, {name}"


app: Any = dash.server if "BARE" in os.environ else TikTokMiddleware(dash.server)
