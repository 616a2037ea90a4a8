"""Declared parcels and what comes with them: reading, checking, numbering, and the tables users upload."""
