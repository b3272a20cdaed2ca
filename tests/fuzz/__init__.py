"""Coverage-guided search for documents and requests that break a promise: ``make fuzz``, or ``python -m tests.fuzz``.

A target is a module with ``seeds()``, inputs to begin with, and ``check(data)``, which raises where a promise is broken.
Any bytes are an input. ``test_targets.py`` runs every seed, and so keeps the targets true without a fuzzer.
"""
