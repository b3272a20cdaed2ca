"""Requests, cookies, and response heads, as far as the middleware reads or changes them."""
