"""Benchmarks, side by side with bare programs on the same machine."""
