"""L4A, crop type of every declared parcel, and crop diversification; pure: no database, no settings, no clock."""
