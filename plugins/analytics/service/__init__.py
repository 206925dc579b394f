"""The rules of the analytics."""
