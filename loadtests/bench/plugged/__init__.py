"""Plugins that are measured and served by nobody else."""
