"""Sending of events: group commit, relay, backoff, and the Events API client."""
