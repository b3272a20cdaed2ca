"""The same small shop on each framework; start one with `python examples/starlette_shop.py`."""
