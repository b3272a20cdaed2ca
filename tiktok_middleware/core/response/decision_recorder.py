"""Record the decision of an exchange in the decision cache, unless it depends on more than the cache's key."""

from __future__ import annotations

from tiktok_middleware.core.consent.state import State
from tiktok_middleware.core.http.request import RequestView
from tiktok_middleware.core.response.browser_output import BrowserOutput
from tiktok_middleware.core.response.decision_cache import Effects, Key, record
from tiktok_middleware.core.response.page_script import Script
from tiktok_middleware.core.response.policy import Codec
from tiktok_middleware.core.response.read_log import LoggedFacts, ReadLog, logged_setup
from tiktok_middleware.core.runtime import Runtime
from tiktok_middleware.core.tracking.request_state import RequestState

__all__ = ["DecisionRecorder"]

_DENIED, _IDENTITY = State.DENIED, Codec.IDENTITY


class DecisionRecorder:
    """Records one decision.

    Args:
        key: key of the decision.
        state: state of the request.
        is_key_of_tags: whether the key holds the tags of the page's head.

    Attributes:
        request: the request, which logs what the decision reads.
        runtime: the configuration, which logs what the decision reads.
        is_open: whether no decision has been recorded yet.
    """

    __slots__ = ("_is_key_of_tags", "_key", "_log", "_state", "is_open", "request", "runtime")

    def __init__(self, key: Key, state: RequestState, *, is_key_of_tags: bool = False) -> None:
        self._key = key
        self._state = state
        self._is_key_of_tags = is_key_of_tags
        self._log = log = ReadLog()
        self.is_open = True
        self.request: RequestView = LoggedFacts(state.request, state.runtime.proxies, log)
        self.runtime: Runtime = logged_setup(state.runtime, log)

    def record(self, effects: Effects | None) -> None:
        """Record the effects of the decision; only the first call does.

        Args:
            effects: None when they depend on more than the key.
        """
        if not self.is_open:
            return
        self.is_open = False
        state = self._state
        # After a refusal each visitor has other cookies to delete. The cache can only splice bodies without a coding.
        is_usual = (
            state.is_untouched
            and state.consent.state is not _DENIED
            and (effects is None or effects.script is None or effects.plan.codec is _IDENTITY)
        )
        record(state.runtime, self._key, self._log, effects if is_usual else None)

    def record_page(self, output: BrowserOutput, made: Script | None, nonce: str) -> None:
        """Record the script of a page; None where a later script of the page needs the nonce of its markup."""
        if made is None:
            self.record(None)
            return
        mark = self.runtime.snippet.mark if made.is_constant and not nonce else ""
        self.record(Effects.of(output, made.data, is_personal=made.is_personal, mark=mark))

    def is_missing_tags(self) -> bool:
        """Return whether the key lacks the tags of the page's head, so that the script without them is recorded."""
        return self.is_open and not self._is_key_of_tags and self._state.is_untouched
