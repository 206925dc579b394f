"""The bundled Valkey: rate limits, revoked sessions and other counters, kept in an append-only file."""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Sequence
from typing import ClassVar

from core.embedded import binaries
from core.embedded.datadir import DataDir, write_private
from core.embedded.server import Server
from core.settings import Settings
from core.steps import LOOPBACK, Steps, exchange

# Its folder is its working folder, so that no path, however strange, needs to be written down.
CONFIGURATION = """\
bind {host}
port {port}
requirepass {password}
dir .
daemonize no
appendonly yes
appendfsync everysec
save ""
maxmemory 256mb
maxmemory-policy volatile-ttl
"""


class Valkey(Server):
    """Valkey. Killed with us it writes what it has (SIGTERM) and ends at once."""

    name: ClassVar[str] = "valkey"
    patience: ClassVar[float] = 60.0
    dies_by: ClassVar[signal.Signals] = signal.SIGTERM
    farewells: ClassVar[Sequence[tuple[signal.Signals, float]]] = ((signal.SIGTERM, 10.0),)

    def __init__(self, home: DataDir, settings: Settings) -> None:
        super().__init__(home)
        self._program = binaries.valkey_program(settings)
        self._password = home.secret("valkey_password")
        self._port = 0

    def values(self) -> dict[str, str]:
        """The cache's URL."""
        self.settled = True
        return {"redis_url": f"redis://:{self._password}@{LOOPBACK}:{self._port}/0"}

    def prepare(self, lock: int) -> Steps[None]:  # noqa: ARG002 - nothing is started for it
        """Write its configuration: the password must not be seen among the arguments."""
        self._port = self.ports(self.name)[self.name]
        text = CONFIGURATION.format(host=LOOPBACK, port=self._port, password=self._password)
        write_private(self.home.folder(self.name) / "valkey.conf", text)
        yield from ()

    def launch(self, lock: int) -> subprocess.Popen[bytes]:
        """Start it."""
        return self.spawn([str(self._program), "valkey.conf"], lock, {})

    def probe(self) -> Steps[bool]:
        """Log in and ping: it answers with an error as long as it still loads its file."""
        request = f"AUTH {self._password}\r\nPING\r\n".encode()
        try:
            answer = yield from exchange(self._port, request, lines=2, seconds=2.0)
        except OSError:
            return False
        return answer == b"+OK\r\n+PONG\r\n"
