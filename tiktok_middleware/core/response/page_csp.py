"""Read a page's own Content Security Policy: the nonce for our scripts, and which of our requests it blocks."""

from __future__ import annotations

import re
from collections.abc import Sequence

from tiktok_middleware.core.http.request import RequestView
from tiktok_middleware.core.http.response_head import Head
from tiktok_middleware.core.page.csp import Policies, read_policies
from tiktok_middleware.core.runtime import Runtime

__all__ = ["nonce_of", "say_what_is_blocked", "with_markup"]

# Hashes of scripts, which differ between pages, and the rest of a truncated one.
_HASHES = re.compile(r"(?:'sha(?:256|384|512)-[^' ]*'? ?)+(?:'[^' ]*$)?", re.IGNORECASE)


# A policy in a <meta> has no such directive (https://www.w3.org/TR/CSP3/#meta-element).
_SANDBOX = re.compile(r"(?:^|;)\s*sandbox\b[^;]*", re.IGNORECASE)


def with_markup(head: Head, policies: Sequence[str]) -> Head:
    """Return the response head as if the policies in the page's markup were headers.

    Args:
        head: response head of the page.
        policies: policies of its ``<meta>`` elements.
    """
    enforced = [head.content_security_policy, *(_SANDBOX.sub("", policy) for policy in policies)]
    return head._replace(content_security_policy=", ".join(filter(None, enforced)))


def nonce_of(head: Head, runtime: Runtime, told: str) -> str:
    """Return the nonce for our scripts; ``told`` if the head has no policy or ``csp`` is off.

    Args:
        head: response head of the page.
        runtime: the configuration.
        told: nonce from the framework, for a policy that a middleware outside ours writes later; may be empty.
    """
    policies = _policies_of(head, runtime)
    return policies.nonce if policies is not None else told


def say_what_is_blocked(head: Head, runtime: Runtime, request: RequestView) -> None:
    """Log, once for each directive, which of our requests the page's policy blocks."""
    policies = _policies_of(head, runtime)
    if policies is None:
        return
    origin = f"{request.scheme}://{request.host}"
    for blocked in policies.blocked(runtime.config.pixel_url, origin, runtime.helper_url(request)):
        cause = " ".join(_HASHES.sub("", text) for text in ("csp", blocked.directive, blocked.add))
        needs = ", ".join(blocked.needs)
        runtime.notices.once(cause, f"pages' Content Security Policy blocks the pixel ({needs}); {blocked.advice}")


def _policies_of(head: Head, runtime: Runtime) -> Policies | None:
    enforced, report_only = head.content_security_policy, head.content_security_policy_report_only
    if not (enforced or report_only) or runtime.config.csp == "off":
        return None
    return read_policies([enforced] if enforced else [], [report_only] if report_only else [])
