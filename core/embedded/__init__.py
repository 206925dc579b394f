"""The bundled servers: PostgreSQL, Valkey and SeaweedFS, kept in the data directory and started with the service."""

from core.embedded.datadir import DataDir, running_stack
from core.embedded.server import StartFailed
from core.embedded.stack import EmbeddedStack

__all__ = ["DataDir", "EmbeddedStack", "StartFailed", "running_stack"]
