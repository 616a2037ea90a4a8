"""Fields, holdings and what they declare."""
