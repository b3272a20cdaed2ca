"""The same small shop on four frameworks; start one with `python examples/starlette_shop.py`."""
