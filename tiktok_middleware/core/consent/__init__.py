"""The consent state of a visitor, read from the request."""
