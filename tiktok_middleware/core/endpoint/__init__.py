"""The endpoint of the middleware: the helper script and the reports of pages."""
