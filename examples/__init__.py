"""The same small shop on each framework; start it with `python examples/starlette_shop.py`."""
