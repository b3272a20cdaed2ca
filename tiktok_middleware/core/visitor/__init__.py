"""Visitor data for TikTok: click ids, hashed user data, snapshots, and the redaction of personal data in URLs."""
