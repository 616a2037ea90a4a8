"""Vegetation status (L3B): what Sentinel-2 and Landsat say about leaves. Kernels on arrays; no files, no database."""
