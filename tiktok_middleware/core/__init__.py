"""Decisions as pure functions and values: no I/O, no clock, no randomness, no threads, no frameworks."""
