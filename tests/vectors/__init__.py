"""What TikTok's own tag manager templates send for an input, written down as inputs and expected wire values."""
