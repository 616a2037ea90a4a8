"""Backscatter, coherence and Sentinel-1 images."""
