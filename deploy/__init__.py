"""How the system is put on a machine."""
