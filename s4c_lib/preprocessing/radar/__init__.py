"""Sentinel-1: from SLC and GRD to backscatter and coherence on the grid of Sentinel-2 tiles."""
