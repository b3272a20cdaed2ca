"""Integrations, one framework per file. No other part of the package imports them."""
