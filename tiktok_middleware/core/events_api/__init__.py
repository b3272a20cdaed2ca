"""TikTok's Events API: requests and answers as bytes and values."""
