"""Load tests and benchmarks: programs that drive a running service."""
