"""The lead funnel with a look into its database."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from examples.saas_leads import LEADS, app

__all__ = ["app"]


def numbers(_request: Request) -> JSONResponse:
    return JSONResponse(list(LEADS))


app.router.routes.append(Route("/leads-of-the-test", numbers))
