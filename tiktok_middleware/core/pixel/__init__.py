"""Make what a page receives: the snippet, signed events, and redirect cookies."""
