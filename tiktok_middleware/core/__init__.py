"""The thinking ring: no I/O, no clock, no randomness, no threads, no frameworks."""
