"""The registry of parameters, declared once, and how layers of values resolve."""
