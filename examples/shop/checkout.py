"""Read and check the checkout form."""

from __future__ import annotations

import re
import uuid
from collections.abc import Mapping
from dataclasses import dataclass

__all__ = ["COUNTRIES", "Customer", "read_customer"]

COUNTRIES = {
    "AT": "Austria",
    "BE": "Belgium",
    "DK": "Denmark",
    "FR": "France",
    "DE": "Germany",
    "IE": "Ireland",
    "IT": "Italy",
    "LU": "Luxembourg",
    "NL": "Netherlands",
    "PL": "Poland",
    "ES": "Spain",
    "SE": "Sweden",
}

_EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")
_PHONE = re.compile(r"(\+|00)[1-9]\d{7,14}")
_REQUIRED = {
    "first_name": "Enter your first name.",
    "last_name": "Enter your last name.",
    "street": "Enter the street and house number.",
    "zip_code": "Enter the postcode.",
    "city": "Enter the town or city.",
}


@dataclass(frozen=True)
class Customer:
    """Name, contact and delivery address of a customer; `phone` is empty or starts with the country code."""

    email: str
    phone: str
    first_name: str
    last_name: str
    street: str
    zip_code: str
    city: str
    country: str

    @property
    def number(self) -> str:
        """Return the shop's permanent number for this customer."""
        return str(uuid.uuid5(uuid.NAMESPACE_URL, f"mailto:{self.email.lower()}"))


def read_customer(form: Mapping[str, object]) -> tuple[Customer, dict[str, str]]:
    """Return the customer as entered, and an error sentence for each wrong field, in the form's order."""
    typed = {name: str(form.get(name) or "").strip() for name in Customer.__dataclass_fields__}
    customer = Customer(**typed)
    wrong = {}
    if not _EMAIL.fullmatch(customer.email):
        wrong["email"] = "Enter an e-mail address such as mira@example.com."
    if customer.phone and not _PHONE.fullmatch(re.sub(r"[\s()./-]", "", customer.phone)):
        wrong["phone"] = "Enter the number with its country code, such as +49 30 901820."
    wrong |= {name: sentence for name, sentence in _REQUIRED.items() if not typed[name]}
    if customer.country not in COUNTRIES:
        wrong["country"] = "Choose a country."
    return customer, wrong
