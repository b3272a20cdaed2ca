"""Lead funnel of a SaaS company: `python examples/saas_leads.py`, or any ASGI server with `examples.saas_leads:app`.

It has three steps with one event each:

1. The visitor begins to fill in the form: the page's script tracks `FormStart` (both channels, one id).
2. The visitor asks for a demo: the view tracks `Lead`, once per lead, and keeps a snapshot of the visitor with it.
3. Weeks later sales qualifies the lead in the CRM, which calls a webhook: `Qualified` goes to the CRM event set
   (TIKTOK_CRM_ID), matched by the hashed e-mail address.

The CRM sends CRM_SECRET as a bearer token. TIKTOK_PIXEL_ID and TIKTOK_ACCESS_TOKEN switch TikTok on.
"""

from __future__ import annotations

import hmac
import json
import os
import secrets
from typing import Any

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from tiktok_middleware import Client
from tiktok_middleware.contrib.starlette import TikTokMiddleware, tiktok_from

# The page's script may send this event; other events are refused.
os.environ.setdefault("TIKTOK_BROWSER_EVENTS", "FormStart")
client = Client.from_env()

#: Stands in for a database: the people who asked for a demo, by number.
LEADS: dict[str, dict[str, Any]] = {}

FORM = """<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><title>Ask for a demo</title></head>
<body>
  <h1>Ask for a demo</h1>
  <form method="post" action="/leads">
    <label>Work e-mail <input name="email" type="email" required></label>
    <label>Company <input name="company"></label>
    <button>Ask for a demo</button>
  </form>
  <script>
    document.querySelector('form').addEventListener('focusin', () => tiktok.track('FormStart'), {once: true});
  </script>
</body>
</html>"""
THANKS = "<!doctype html><html><head><title>Thank you</title></head><body><h1>We will call you.</h1></body></html>"


def form(_request: Request) -> Response:
    return HTMLResponse(FORM)


async def ask(request: Request) -> Response:
    given = await request.form()
    number, email = secrets.token_hex(8), str(given.get("email", ""))
    tiktok = tiktok_from(request)
    tiktok.identify(email=email)
    tiktok.track("Lead", once=number, description="demo")
    # The CRM gets the lead with its number; the snapshot stays in this app.
    LEADS[number] = {"email": email, "company": str(given.get("company", "")), "visitor": tiktok.snapshot()}
    return RedirectResponse("/thanks", 303)


def thanks(_request: Request) -> Response:
    return HTMLResponse(THANKS)


async def qualified(request: Request) -> Response:
    """Handle the CRM's webhook call for a qualified lead: `{"lead": "...", "value": 12000}`."""
    wanted = f"Bearer {os.environ.get('CRM_SECRET', 'try it out')}"
    if not hmac.compare_digest(request.headers.get("authorization", "").encode(), wanted.encode()):
        return JSONResponse({"error": "unknown sender"}, 401)
    told = json.loads(await request.body())
    lead = LEADS.get(told["lead"])
    if lead is None:
        return JSONResponse({"error": "unknown lead"}, 404)
    async with client.tracker(lead["visitor"], source="crm", email=lead["email"]) as tiktok:
        tiktok.track("Qualified", once=f"{told['lead']}-qualified", value=told["value"], currency="EUR")
    return Response(status_code=204)


app = Starlette(
    routes=[
        Route("/", form),
        Route("/leads", ask, methods=["POST"]),
        Route("/thanks", thanks),
        Route("/crm/qualified", qualified, methods=["POST"]),
    ],
    middleware=[Middleware(TikTokMiddleware, client=client)],
)

if __name__ == "__main__":
    import uvicorn

    uvicorn.run(app, port=int(os.environ.get("PORT", "8000")))
