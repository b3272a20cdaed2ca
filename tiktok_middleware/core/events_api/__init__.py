"""TikTok's Events API: encode requests and parse answers, without I/O."""
