"""From a delivered product to a published one: L2A executors, publication as COG, elevation for MAJA."""
