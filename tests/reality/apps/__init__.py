"""Apps that others wrote, each with the middleware, and without where BARE is set; each runs in an environment of its own."""
