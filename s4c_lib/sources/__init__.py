"""Where acquisitions come from, and how their names and content are recognised."""
