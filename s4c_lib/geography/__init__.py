"""Sentinel-2 tiles and the extent of a site: pure geometry, no database."""
