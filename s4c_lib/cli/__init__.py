"""The `s4c` command line: one module a noun."""
