"""Trackers: ``request.tiktok``, and trackers without a request."""
