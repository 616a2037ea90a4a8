"""Where things are: site extents and their uploads, MGRS squares, Sentinel-2 tiles, pixel grids; no database."""
