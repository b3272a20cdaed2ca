"""``manage.py take_orders --prefix P --last N``: takes orders one after the other, and prints each that it has taken."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand

from tests.transactions.jobs.orders import OUTCOMES, take_order

_base: Any = BaseCommand


class Command(_base):  # type: ignore[misc]  # Django has no types
    def add_arguments(self, parser: Any) -> None:
        parser.add_argument("--prefix", required=True)
        parser.add_argument("--last", type=int, default=len(OUTCOMES))
        parser.add_argument("--death", default="")

    def handle(self, *_: object, **options: Any) -> None:
        outcomes = list(OUTCOMES)
        for number in range(options["last"]):
            outcome = "commits" if options["death"] else outcomes[number % len(outcomes)]
            take_order(f"{options['prefix']}-{number}", outcome, options["death"])
            self.stdout.write(f"{number}\n")
            self.stdout.flush()
