"""Retention: what goes when, what is kept in the archive instead, and what a night tidies up."""
