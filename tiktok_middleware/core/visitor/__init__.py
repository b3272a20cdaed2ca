"""What identifies a visitor to TikTok: click ids and hashed user data, and what must not leave in an address."""
