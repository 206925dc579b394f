"""HTTP of the call logs and their recordings."""
