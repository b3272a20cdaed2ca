"""The example shop behind a proxy that ends TLS."""

from __future__ import annotations

from examples import starlette_shop
from tests.engines.site import Secure

app = Secure(starlette_shop.app)
