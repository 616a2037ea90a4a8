"""Statistics per parcel: what the rasters say about each declared parcel."""
