"""Decisions as pure functions and values: no I/O, no clock, no randomness, no threads, no frameworks."""

from tiktok_middleware._moved import move

_SINKS = "tiktok_middleware.sinks"

move(f"{__name__}.event", {"Record": _SINKS, "Event": "tiktok_middleware"})
move(f"{__name__}.payload", dict.fromkeys(("Delivered", "Retry", "Rejected", "Halted"), _SINKS))
move(f"{__name__}.facts", {"RequestFacts": "tiktok_middleware.core.http.request:RequestView"})
