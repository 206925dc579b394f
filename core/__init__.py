"""The kernel: HTTP, plugins, resources, processes. It knows no feature."""

__version__ = "0.1.0"
# Of the hooks and the face: the first number changes when a plugin may break, the second when something is added.
API_VERSION = "1.0"
