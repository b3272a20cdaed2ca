"""The form of Django's admin that names a person whose stored events are to be erased."""

from __future__ import annotations

from typing import Any

from django import forms

from tiktok_middleware._person import NAMES, read_person
from tiktok_middleware.contrib._django_settings import config_of_settings
from tiktok_middleware.delivery.outbox.person import Person
from tiktok_middleware.errors import TikTokError

__all__ = ["PersonForm"]

_django: Any = forms
_HELP = {
    "email": ("E-mail address", "Or its SHA-256 hash."),
    "phone": ("Phone number", "With its country code, or its SHA-256 hash."),
    "external_id": ("Number of your own", "The external id that you identify the person by, or its SHA-256 hash."),
    "ttp": ("_ttp cookie", "The value of the cookie in the person's browser."),
    "ip": ("IP address", "Also other people's events may have it."),
}


class PersonForm(_django.Form):  # type: ignore[misc]  # Django has no types
    """Names a person. A page never repeats what was entered.

    Attributes:
        person: the person, once the form is valid.
    """

    person: Person

    is_sure = _django.BooleanField(label="Remove all stored events of this person for good")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name in NAMES:
            label, text = _HELP[name]
            widget = _django.PasswordInput(attrs={"autocomplete": "off", "class": "vTextField"}, render_value=False)
            widget.input_type = "text"  # readable while it is typed, and not sent back with errors
            self.fields[name] = _django.CharField(
                label=label, help_text=text, required=False, max_length=500, widget=widget
            )
        self.order_fields([*NAMES, "is_sure"])

    def clean(self) -> dict[str, Any]:
        """Read the person.

        Raises:
            ValidationError: nobody is named, or a value cannot be read.
        """
        found: dict[str, Any] = super().clean()
        try:
            named = {name: [found[name]] for name in NAMES if found.get(name)}
            person = read_person(named, config_of_settings().phone_region)
        except TikTokError as error:
            raise _django.ValidationError(str(error)) from None
        if person is None:
            raise _django.ValidationError("Name the person by at least one value.")
        if not person:
            raise _django.ValidationError("The value names nobody: it is empty, or a placeholder such as 'guest'.")
        self.person = person
        return found
