"""The consent platforms' own code in a real browser, with the middleware behind it."""
