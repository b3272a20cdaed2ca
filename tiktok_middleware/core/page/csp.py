"""Read Content Security Policies (https://www.w3.org/TR/CSP3/): the allowed nonce, blocked loads and missing sources.

This module reads header values. ``head_tags`` finds policies in ``<meta>``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import lru_cache

from tiktok_middleware.core.page.csp_check import Blocked, blocked_by, pixel_hosts
from tiktok_middleware.core.page.csp_policy import DEFAULT_SRC, SCRIPT_SRC, Policy, words_of
from tiktok_middleware.core.page.csp_sources import NONCE, Address

__all__ = ["Blocked", "Policies", "allows_inline", "extended", "framework_nonce", "pixel_hosts", "read_policies"]

#: Longer headers are not read. Few servers and browsers accept them.
POLICY_LIMIT_CHARS = 32_768

_BARE_NONCE = re.compile(r"[A-Za-z0-9+/_-]+={0,2}")


class _Reading:
    """Parsed policies in which each nonce is replaced by a number, in the order of first appearance."""

    def __init__(self, enforced: str, report_only: str) -> None:
        self.enforced: list[Policy] = [policy for policy in map(Policy, enforced.split(",")) if policy.directives]
        reported = [policy for policy in map(Policy, report_only.split(",")) if policy.directives]
        self.nonce: str = self._common_nonce(reported)

    def _common_nonce(self, reported: Sequence[Policy]) -> str:
        candidates: list[str] = []
        for nonces in [policy.scripts.nonces for policy in self.enforced if policy.scripts.nonces]:
            candidates = [nonce for nonce in candidates or nonces if nonce in nonces]
            if not candidates:
                return ""
        for nonces in [policy.scripts.nonces for policy in reported if policy.scripts.nonces]:
            # Prefer a nonce that the report-only policy allows too, so that it reports nothing. Keep all candidates
            # if it allows none of them.
            candidates = [nonce for nonce in candidates if nonce in nonces] or candidates or list(nonces)
        return candidates[0] if candidates else ""


_read = lru_cache(maxsize=64)(_Reading)


class Policies:
    """All policies of one response.

    Attributes:
        nonce: a nonce that all enforced policies with nonces allow for inline scripts; empty if they have none in
            common. If only a report-only policy has a nonce: that nonce.
    """

    __slots__ = ("_reading", "nonce")

    def __init__(self, reading: _Reading, nonce: str) -> None:
        self._reading = reading
        self.nonce: str = nonce

    def blocked(self, pixel_url: str, page_origin: str, helper_path: str = "/_tiktok/helper.js") -> tuple[Blocked, ...]:
        """Return which of our scripts and requests the enforced policies block; empty if none.

        Args:
            pixel_url: address of TikTok's script.
            page_origin: scheme, host and port of the page; may be empty.
            helper_path: path of our helper script.
        """
        if not self._reading.enforced:
            return ()
        return _blocked(self._reading, pixel_url, page_origin, helper_path)


@lru_cache(maxsize=256)
def _blocked(reading: _Reading, pixel_url: str, page_origin: str, helper_path: str) -> tuple[Blocked, ...]:
    return blocked_by(reading.enforced, reading.nonce, pixel_url, Address.read(page_origin), helper_path)


_NO_POLICIES = Policies(_Reading("", ""), "")


def read_policies(enforced: Sequence[str], report_only: Sequence[str] = ()) -> Policies:
    """Return the policies of a response. It never raises, and ignores policies longer than 32 KB together.

    Args:
        enforced: the values of the ``Content-Security-Policy`` headers, each a comma-separated list.
        report_only: the same for ``Content-Security-Policy-Report-Only``, which blocks nothing.
    """
    if not enforced and not report_only:
        return _NO_POLICIES
    texts = ",".join(enforced), ",".join(report_only)
    if len(texts[0]) + len(texts[1]) > POLICY_LIMIT_CHARS:
        return _NO_POLICIES
    # Apart from its nonces, a policy is the same for every response, so the parsed policy can be cached.
    nonces: dict[str, int] = {}
    reading = _read(_numbered(texts[0], nonces), _numbered(texts[1], nonces))
    return Policies(reading, list(nonces)[int(reading.nonce)] if reading.nonce else "")


def _numbered(text: str, nonces: dict[str, int]) -> str:
    return NONCE.sub(lambda found: f"'nonce-{nonces.setdefault(found[1], len(nonces))}'", text)


def framework_nonce(request: object) -> str:
    """Return the nonce that a framework keeps for this request. Reading it adds it to the response's later header.

    Args:
        request: a request of Django with its own CSP middleware (``_csp_nonce``) or with django-csp (``csp_nonce``),
            of Flask with Flask-Talisman (``csp_nonce``), or Starlette's ``request.state``.
    """
    try:
        value = getattr(request, "csp_nonce", None)
        nonce = str(getattr(request, "_csp_nonce", None) if value is None else value)
    except Exception:  # noqa: BLE001  # nonces are lazy: django-csp raises its own error after the header was sent
        return ""
    return nonce if nonce != "None" and _BARE_NONCE.fullmatch(nonce) else ""


def allows_inline(directives: Mapping[str, object]) -> bool:
    """Return whether a framework's configured policy allows every inline script. A nonce would disable that.

    Args:
        directives: one or several sources by directive, as in Django's ``SECURE_CSP``. Django's placeholder for the
            nonce does not count as a nonce.
    """
    texts = (
        f"{name} {sources if isinstance(sources, str) else ' '.join(map(str, sources))}"
        for name, sources in directives.items()
        if isinstance(sources, (str, list, tuple, set, frozenset))
    )
    policy = Policy(";".join(texts))
    return not policy.governing(SCRIPT_SRC) or policy.scripts.allows_any_inline


def extended(header_value: str, hosts: Mapping[str, Sequence[str]]) -> str:
    """Return the header with the missing hosts added. A policy that blocks our inline script is not changed.

    Only the directive in question is extended. If ``default-src`` governs it, a directive of its own is added, with
    the sources of ``default-src``. This function never adds ``'unsafe-inline'``, a nonce, or script hosts that
    ``'strict-dynamic'`` would make void.

    Args:
        header_value: value of either header; each policy of a comma-separated list is extended.
        hosts: sources by directive, from :func:`pixel_hosts`.
    """
    if len(header_value) > POLICY_LIMIT_CHARS:
        return header_value
    nonces: dict[str, int] = {}
    numbered = _numbered(header_value, nonces)
    made = _extended(numbered, tuple((kind, tuple(sources)) for kind, sources in hosts.items()))
    if made == numbered:
        return header_value
    values = list(nonces)
    return NONCE.sub(lambda found: f"'nonce-{values[int(found[1])]}'", made) if values else made


@lru_cache(maxsize=64)
def _extended(header_value: str, hosts: tuple[tuple[str, tuple[str, ...]], ...]) -> str:
    return ",".join(_extended_policy(text, hosts) for text in header_value.split(","))


def _extended_policy(text: str, hosts: tuple[tuple[str, tuple[str, ...]], ...]) -> str:
    policy = Policy(text)
    if not policy.lets_inline_run:
        return text
    changed: dict[str, str] = {}
    added: list[str] = []
    for kind, wanted in hosts:
        name = policy.governing(kind)
        sources = policy.sources(kind)
        if not name or (kind == SCRIPT_SRC and sources.is_strict_dynamic):
            continue
        missing = [host for host in wanted if not sources.allows(Address.read(host), Address())]
        if not missing:
            continue
        if name == DEFAULT_SRC:
            added.append(" ".join((kind, *policy.inherited(kind), *missing)))
        else:
            kept = [source for source in policy.directives[name] if source.lower() != "'none'"]
            changed[name] = " ".join((name, *kept, *missing))
    return _rewritten(text, changed, added)


def _rewritten(text: str, changed: dict[str, str], added: Sequence[str]) -> str:
    """Return the policy with some directives replaced (the first of each name) and some added at its end."""
    parts = text.split(";")
    for index, part in enumerate(parts):
        words = words_of(part)
        new = changed.pop(words[0].lower(), "") if words else ""
        if new:
            parts[index] = part[: len(part) - len(part.lstrip())] + new
    while added and not parts[-1].strip():
        parts.pop()
    return ";".join([*parts, *(f" {directive}" for directive in added)])
