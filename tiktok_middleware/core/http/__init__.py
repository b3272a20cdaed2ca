"""Read requests, cookies and response heads, and change response headers."""
