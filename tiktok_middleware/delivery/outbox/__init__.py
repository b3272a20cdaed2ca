"""Storage of waiting events: the outbox contract and its implementations."""
