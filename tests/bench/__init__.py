"""What a request and a delivered event cost, beside others: ``python -m tests.bench requests`` and ``... delivery``.

One worker process a variant, so that no patch of one reaches another; a coordinator asks one worker at a time for one
timed block, in an order shuffled anew each round. Only differences within a round count: a machine drifts by more
between two runs than most middlewares cost. All traffic stays on loopback.
"""
