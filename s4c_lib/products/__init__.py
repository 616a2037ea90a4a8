"""Products as files: their names and layout, and what users take home."""
