"""Reflectance, sky and Sentinel-2 images."""
