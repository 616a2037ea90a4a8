"""Weather, field work and canopies, day by day."""
