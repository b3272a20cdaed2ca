"""One Content Security Policy: which of its directives decides what; it judges no load and writes no header."""

from __future__ import annotations

import re
from functools import cached_property

from tiktok_middleware.core.page.csp_sources import SourceList

__all__ = ["DEFAULT", "IMAGES", "REQUESTS", "SCRIPTS", "Policy", "words_of"]

SCRIPTS, REQUESTS, IMAGES, DEFAULT = "script-src", "connect-src", "img-src", "default-src"

# The first that a policy holds governs (https://www.w3.org/TR/CSP3/#directive-fallback-list).
_FALLBACKS = {SCRIPTS: ("script-src-elem", SCRIPTS, DEFAULT)}

_WORD = re.compile(r"[^ \t\n\f\r]+")


def words_of(directive: str) -> list[str]:
    """Name and sources of a directive; empty where it is none, as what is not ASCII is none to browsers."""
    return _WORD.findall(directive) if directive.isascii() else []


class Policy:
    """One policy of a header's list."""

    def __init__(self, text: str) -> None:
        self.directives: dict[str, tuple[str, ...]] = {}
        for directive in text.split(";"):
            words = words_of(directive)
            if words:  # of several directives of one name the first counts
                self.directives.setdefault(words[0].lower(), tuple(words[1:]))

    def governing(self, kind: str) -> str:
        """The name of the directive that decides on a kind of load; empty where nothing is restricted."""
        return next((name for name in _FALLBACKS.get(kind, (kind, DEFAULT)) if name in self.directives), "")

    def sources(self, kind: str) -> SourceList:
        """What the governing directive lists."""
        return SourceList(self.directives.get(self.governing(kind), ()))

    @cached_property
    def scripts(self) -> SourceList:
        return self.sources(SCRIPTS)

    @property
    def forbids_scripts(self) -> bool:
        """Whether it puts the page into a sandbox in which nothing runs."""
        flags = self.directives.get("sandbox")
        return flags is not None and "allow-scripts" not in map(str.lower, flags)

    @property
    def lets_inline_run(self) -> bool:
        """Whether an inline script can run, given the right nonce."""
        if self.forbids_scripts:
            return False
        return not self.governing(SCRIPTS) or self.scripts.allows_any_inline or bool(self.scripts.nonces)

    def inherited(self, kind: str) -> list[str]:
        """What ``default-src`` lends to a directive of its own, without what only scripts and styles know."""
        sources = [source for source in self.directives[DEFAULT] if source.lower() != "'none'"]
        if kind == SCRIPTS:
            return sources
        return [source for source in sources if not source.startswith("'") or source.lower() == "'self'"]
