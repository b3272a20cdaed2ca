"""What a customer types into the checkout, and nobody but the shop may learn."""

from __future__ import annotations

__all__ = ["CUSTOMER"]

#: As typed into the checkout: e-mail and phone are TikTok's own test vectors.
CUSTOMER = {
    "email": " ALICE_abc@gmail.com ",
    "phone": "(+1)2133734253",
    "first_name": "Zaphodia",
    "last_name": "Beeblebrox-Örsted",
    "street": "Quayside Row 42",
    "zip_code": "10119",
    "city": "Berlin",
}
