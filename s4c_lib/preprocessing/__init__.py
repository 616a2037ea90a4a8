"""From a delivered product to a published one: L2A, ready-made or by a program; elevation; Sentinel-1 in `radar`."""
