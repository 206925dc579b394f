"""The kernel: HTTP, plugins, resources, processes. It knows no feature."""

__version__ = "0.1.0"
