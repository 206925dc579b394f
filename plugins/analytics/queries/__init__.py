"""All SQL of the analytics."""
