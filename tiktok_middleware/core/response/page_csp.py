"""Read a page's own Content Security Policy: the nonce that our scripts need, and what the policy blocks of ours."""

from __future__ import annotations

import re
from collections.abc import Sequence

from tiktok_middleware.core.http.request import RequestView
from tiktok_middleware.core.http.response_head import Head
from tiktok_middleware.core.page.csp import Policies, read_policies
from tiktok_middleware.core.runtime import Runtime

__all__ = ["nonce_of", "say_what_is_blocked", "with_markup"]

# Hashes of scripts, which each page has its own of, and what a cut has left of one.
_HASHES = re.compile(r"(?:'sha(?:256|384|512)-[^' ]*'? ?)+(?:'[^' ]*$)?", re.IGNORECASE)


# A policy in a <meta> has no such directive (https://www.w3.org/TR/CSP3/#meta-element).
_SANDBOX = re.compile(r"(?:^|;)\s*sandbox\b[^;]*", re.IGNORECASE)


def with_markup(head: Head, policies: Sequence[str]) -> Head:
    """Return the response head as if the policies in the page's markup were headers.

    Args:
        head: of the page.
        policies: of its ``<meta>`` elements.
    """
    enforced = [head.content_security_policy, *(_SANDBOX.sub("", policy) for policy in policies)]
    return head._replace(content_security_policy=", ".join(filter(None, enforced)))


def nonce_of(head: Head, runtime: Runtime, told: str) -> str:
    """The nonce that our scripts need; empty where the page has none, or is not to be asked.

    Args:
        head: of the page.
        runtime: the configuration.
        told: by the framework, for the policy that a middleware around us may write only after us.
    """
    policies = _policies_of(head, runtime)
    return policies.nonce if policies is not None else told


def say_what_is_blocked(head: Head, runtime: Runtime, request: RequestView) -> None:
    """Tell the operator, once for each directive, what the page's policy keeps our scripts from."""
    policies = _policies_of(head, runtime)
    if policies is None:
        return
    origin = f"{request.scheme}://{request.host}"
    for blocked in policies.verdict(runtime.config.pixel_url, origin, runtime.helper_url(request)):
        cause = " ".join(_HASHES.sub("", text) for text in ("csp", blocked.directive, blocked.add))
        needs = ", ".join(blocked.needs)
        runtime.notices.once(cause, f"pages' Content Security Policy blocks the pixel ({needs}); {blocked.advice}")


def _policies_of(head: Head, runtime: Runtime) -> Policies | None:
    enforced, report_only = head.content_security_policy, head.content_security_policy_report_only
    if not (enforced or report_only) or runtime.config.csp == "off":
        return None
    return read_policies([enforced] if enforced else [], [report_only] if report_only else [])
