"""The rules of call logs and recordings."""
