"""TikTok's own lists: event names, currencies, user keys; it knows nothing of how they are checked.

Sources: TikTok help pages "Supported standard events", "Reserved events" and "Custom events" and the parameter tables
of ``/event/track/``. Written down here a second time on purpose: a stand-in that shared the middleware's lists would
share its mistakes.
"""

from __future__ import annotations

__all__ = ["CURRENCIES", "RESERVED", "STANDARD", "USER_TYPOS"]

# fmt: off
STANDARD = frozenset([
    "AddPaymentInfo", "AddToCart", "AddToWishlist", "ApplicationApproval", "CompleteRegistration", "Contact",
    "CustomizeProduct", "Download", "FindLocation", "InitiateCheckout", "Lead", "Purchase", "Schedule",
    "Search", "StartTrial", "SubmitApplication", "Subscribe", "ViewContent",
])
# fmt: on

RESERVED = {
    "AddBilling": "AddPaymentInfo",
    "Browse": "Pageview",
    "Checkout": "InitiateCheckout",
    "ClickForm": "Lead",
    "ClickInDownloadPage": "Download",
    "ClickToDownload": "Download",
    "CompletePayment": "Purchase",
    "Consult": "Contact",
    "ConsultByPhone": "Contact",
    "PageView": "Pageview",
    "PlaceAnOrder": "InitiateCheckout",
    "ClickButton": "ViewContent",
    "Registration": "CompleteRegistration",
    "StartCheckout": "InitiateCheckout",
    "SubmitForm": "Lead",
    "ViewConsultationPage": "ViewContent",
    "ViewDownloadPage": "ViewContent",
    "ViewForm": "ViewContent",
}
"""Old and reserved names, with the current name to use instead."""

# fmt: off
CURRENCIES = frozenset([
    "AED", "ARS", "AUD", "BDT", "BHD", "BIF", "BOB", "BRL", "CAD", "CHF", "CLP", "CNY", "COP", "CRC", "CZK",
    "DKK", "DZD", "EGP", "EUR", "GBP", "GTQ", "HKD", "HNL", "HUF", "IDR", "ILS", "INR", "ISK", "JPY", "KES",
    "KHR", "KRW", "KWD", "KZT", "MAD", "MOP", "MXN", "MYR", "NGN", "NIO", "NOK", "NZD", "OMR", "PEN", "PHP",
    "PKR", "PLN", "PYG", "QAR", "RON", "RUB", "SAR", "SEK", "SGD", "THB", "TRY", "TWD", "UAH", "USD", "VES",
    "VND", "ZAR",
])
# fmt: on

USER_TYPOS = {
    "_ttp": "ttp",
    "click_id": "ttclid",
    "client_ip": "ip",
    "email_address": "email",
    "ip_address": "ip",
    "phone_number": "phone",
    "sha256_email": "email",
    "sha256_phone_number": "phone",
    "tt_clid": "ttclid",
    "ua": "user_agent",
    "zip": "zip_code",
}
"""Keys that TikTok swallows without a word inside ``user``, with the key that was meant."""
