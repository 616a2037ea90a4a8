"""The L4 processors at the edge: what a season's run reads, which kernels it calls, what it writes and registers."""
