"""One request and its response: the exchange, its policy, and what the browser receives."""
