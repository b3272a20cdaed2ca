"""Outbox in PostgreSQL, which all hosts share. Needs the extra ``postgres``; nothing imports it by default."""
