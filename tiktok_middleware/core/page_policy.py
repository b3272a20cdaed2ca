"""What a page's own Content Security Policy means for the scripts that we put into it; it changes nothing."""

from __future__ import annotations

import re

from tiktok_middleware.core.csp import Policies, read_policies
from tiktok_middleware.core.facts import RequestFacts
from tiktok_middleware.core.head import Head
from tiktok_middleware.core.setup import Setup

__all__ = ["nonce_of", "say_what_is_blocked"]

# Hashes of scripts, which each page has its own of, and what a cut has left of one.
_HASHES = re.compile(r"(?:'sha(?:256|384|512)-[^' ]*'? ?)+(?:'[^' ]*$)?", re.IGNORECASE)


def nonce_of(head: Head, setup: Setup, told: str) -> str:
    """The nonce that our scripts need; empty where the page has none, or is not to be asked.

    Args:
        head: of the page.
        setup: the configuration.
        told: by the framework, for the policy that a middleware around us may write only after us.
    """
    policies = _policies_of(head, setup)
    return policies.nonce if policies is not None else told


def say_what_is_blocked(head: Head, setup: Setup, facts: RequestFacts) -> None:
    """Tell the operator, once for each directive, what the page's policy keeps our scripts from."""
    policies = _policies_of(head, setup)
    if policies is None:
        return
    origin = f"{facts.scheme}://{facts.host}"
    for blocked in policies.verdict(setup.config.pixel_url, origin, setup.helper_url(facts)):
        cause = " ".join(_HASHES.sub("", text) for text in ("csp", blocked.directive, blocked.add))
        needs = ", ".join(blocked.needs)
        setup.notices.once(cause, f"pages' Content Security Policy blocks the pixel ({needs}); {blocked.advice}")


def _policies_of(head: Head, setup: Setup) -> Policies | None:
    enforced, report_only = head.content_security_policy, head.content_security_policy_report_only
    if not (enforced or report_only) or setup.config.csp == "off":
        return None
    return read_policies([enforced] if enforced else [], [report_only] if report_only else [])
