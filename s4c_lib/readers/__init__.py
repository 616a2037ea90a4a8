"""Products of every optical and radar format, read as one model of bands, masks, angles and grid.

Files are read here; no database, no settings.
"""
