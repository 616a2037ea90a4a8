"""L4C, agricultural practices: pure kernels over all parcels at once; they know no database, no path and no clock."""
