"""Uploads of the user into force: pure checks and the domain database brought together."""
