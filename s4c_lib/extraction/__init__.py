"""Rasters and parcels meet: which pixels are whose, and the statistics of whole products.

Files are read and written here; no database, no settings.
"""
