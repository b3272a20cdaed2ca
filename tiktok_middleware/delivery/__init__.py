"""Delivery of events: the outbox that stores them and the sender that posts them to TikTok."""
