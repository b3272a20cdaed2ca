"""A purchase that a payment webhook reports: `python examples/payment_webhook.py`.

The checkout stores a snapshot of the visitor in the payment's metadata (Stripe allows 500 characters per value). The
webhook, with a signature like Stripe's (https://docs.stripe.com/webhooks#verify-manually), reports the purchase for
that visitor. The thank-you page may report it too, before or after: the order number makes it one conversion.

PAYMENT_SECRET is the webhook's signing secret. TIKTOK_PIXEL_ID and TIKTOK_ACCESS_TOKEN switch TikTok on; Flask's
SECRET_KEY signs the snapshots, so it must be the same on all hosts and after restarts.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import time
from typing import Any

from flask import Flask, abort, request
from flask.typing import ResponseReturnValue

from tiktok_middleware import Client
from tiktok_middleware.contrib.flask import TikTok

app = Flask(__name__)
app.config["SECRET_KEY"] = os.environ.get("SECRET_KEY", "only for trying it out")
TikTok(app)
client: Client = app.extensions["tiktok"]

TOLERANCE_S = 300
THANKS = "<!doctype html><html><head><title>Thank you</title></head><body>Order {}</body></html>"


def secret() -> bytes:
    return os.environ.get("PAYMENT_SECRET", "whsec_try_it_out").encode()


def signature(body: bytes, timestamp: int) -> str:
    """Return the payment provider's signature of a body."""
    return hmac.new(secret(), b"%d." % timestamp + body, hashlib.sha256).hexdigest()


def is_signed(body: bytes, header: str, now_s: float) -> bool:
    """Return whether a header such as ``t=1700000000,v1=...,v1=...`` signs this body, at most five minutes ago."""
    parts = [part.partition("=")[::2] for part in header.split(",")]
    times = [int(value) for key, value in parts if key == "t" and value.isascii() and value.isdigit()]
    if len(times) != 1 or abs(now_s - times[0]) > TOLERANCE_S:
        return False
    wanted = signature(body, times[0]).encode()
    return any(hmac.compare_digest(wanted, value.encode("utf-8", "replace")) for key, value in parts if key == "v1")


@app.post("/checkout/<order_id>")
def checkout(order_id: str) -> dict[str, Any]:
    """Return what a shop would send to the payment provider, which would answer with the URL of its payment page."""
    request.tiktok.identify(email=request.form.get("email"))  # type: ignore[attr-defined]
    metadata = {"order_id": order_id, "tiktok": request.tiktok.snapshot(max_chars=500)}  # type: ignore[attr-defined]
    return {"amount": 5990, "currency": "eur", "metadata": metadata}


@app.post("/webhook")
def webhook() -> ResponseReturnValue:
    if not is_signed(request.get_data(), request.headers.get("Stripe-Signature", ""), time.time()):
        abort(400)
    event = request.get_json(force=True)
    if event["type"] == "payment_intent.succeeded":
        paid = event["data"]["object"]
        metadata = paid["metadata"]
        with client.tracker(metadata.get("tiktok")) as tiktok:
            tiktok.track(
                "Purchase",
                once=metadata["order_id"],
                value=paid["amount"] / 100,
                currency=paid["currency"].upper(),
                event_time=event["created"],
            )
    return "", 204


@app.get("/thanks/<order_id>")
def thanks(order_id: str) -> str:
    request.tiktok.track("Purchase", once=order_id, value=59.90, currency="EUR")  # type: ignore[attr-defined]
    return THANKS.format(order_id)


if __name__ == "__main__":
    app.run(port=int(os.environ.get("PORT", "8000")))
