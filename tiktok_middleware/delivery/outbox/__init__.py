"""Where events wait: the outbox contract and its implementations."""
