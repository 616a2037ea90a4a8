"""Pictures of a synthetic season, for people to judge it by."""
