"""Telling operators what needs them: what is found, kept, put into words and sent. Source: operations.md §7."""
