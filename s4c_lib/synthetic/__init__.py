"""Made-up input in real product formats."""
