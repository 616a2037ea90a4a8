"""Deletion of sites and seasons: runs ended, files removed inside the storage folders only, then the rows."""
