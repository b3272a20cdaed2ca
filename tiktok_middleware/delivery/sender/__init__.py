"""How events leave: group commit, relay, backoff, and the Events API client."""
