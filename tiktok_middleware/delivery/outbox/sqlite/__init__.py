"""Default outbox: one SQLite file that the processes of a host share."""
