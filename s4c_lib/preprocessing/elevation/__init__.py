"""Elevation of the ground on a raster's grid, and the folder of it that MAJA reads (spec preprocessing.md §7)."""
