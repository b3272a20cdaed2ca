"""Real servers over real sockets, with the middleware and without it."""
