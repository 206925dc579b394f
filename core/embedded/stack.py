"""The bundled servers that a start needs: those whose URL nobody gave."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from core.embedded.datadir import STACK, DataDir
from core.embedded.postgres import Postgres
from core.embedded.seaweed import Seaweed
from core.embedded.server import Server
from core.embedded.valkey import Valkey
from core.settings import EMBEDDABLE, PREFIX, ConfigurationError, Settings, plain, with_values
from core.steps import Steps

KINDS: dict[str, Callable[[DataDir, Settings], Server]] = {"database": Postgres, "cache": Valkey, "storage": Seaweed}


class EmbeddedStack:
    """The bundled servers of one service, and the data directory that they share.

    Without any of them there is no data directory. Raises ConfigurationError in production, where nothing is
    embedded, if a program is missing, or if somebody else holds the directory.
    """

    def __init__(self, settings: Settings) -> None:
        missing = [part for part, name in EMBEDDABLE.items() if getattr(settings, name) is None]
        if missing and settings.production:
            names = ", ".join(PREFIX + EMBEDDABLE[part].upper() for part in missing)
            raise ConfigurationError(f"in production nothing is embedded: give {names}")
        self._settings = settings
        self.home = DataDir.open(settings.data_dir) if missing else None
        self.servers: dict[str, Server] = {}
        try:
            if self.home is not None:
                self.home.remove(STACK)
                self.servers = {part: KINDS[part](self.home, settings) for part in missing}
        except BaseException:
            self.close()
            raise

    def step(self) -> None:
        """Do what can be done now. Raises StartFailed or ConfigurationError if a server cannot come up."""
        for server in self.servers.values():
            server.step()

    def ready(self, *parts: str) -> bool:
        """Whether these parts (all, if none is named) are ready; one that is not embedded always is."""
        return all(server.ready for part, server in self.servers.items() if not parts or part in parts)

    @property
    def located(self) -> bool:
        """Whether it is known where each server is, or will be; before that there are no `settings`."""
        return all(server.located for server in self.servers.values())

    def settings(self) -> Settings:
        """The settings with the addresses and secrets of the bundled servers in them."""
        values: dict[str, Any] = {}
        for server in self.servers.values():
            values.update(server.values())
        return with_values(self._settings, values, "embedded")

    def publish(self, address: dict[str, Any]) -> None:
        """Write to the data directory what runs here: the address of the API, and what `settings` gives."""
        if self.home is None:
            return
        values = {name: value for server in self.servers.values() for name, value in server.values().items()}
        self.home.write(STACK, {**address, **values, "s3_bucket": plain(self._settings.s3_bucket)})

    def stop(self, hurried: Callable[[], bool]) -> Steps[None]:
        """Stop the servers, the one that others rest on last."""
        for server in reversed(list(self.servers.values())):
            yield from server.stop(hurried)

    def close(self) -> None:
        """Let go of the data directory."""
        if self.home is not None:
            self.home.remove(STACK)
            self.home.close()
