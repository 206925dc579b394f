"""The bundled S3 server: SeaweedFS, all of its parts in one process.

Its parts talk over unix sockets whose place it does not let us choose: /tmp/seaweedfs-PART-grpc-PORT.sock.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import ClassVar

from core.embedded import binaries
from core.embedded.datadir import DataDir, write_private
from core.embedded.ports import DISTANCE
from core.embedded.s3 import Signer, status
from core.embedded.server import Server
from core.settings import ConfigurationError, Settings
from core.steps import LOOPBACK, Steps, exchange

PARTS = ("master", "volume", "filer", "s3", "admin")
TEMPORARY = Path("/tmp")  # noqa: S108 - SeaweedFS's choice, not ours
# Without keys its file server reads and deletes for everybody, and it listens on every address.
KEYS = (
    "WEED_JWT_SIGNING_KEY",
    "WEED_JWT_SIGNING_READ_KEY",
    "WEED_JWT_FILER_SIGNING_KEY",
    "WEED_JWT_FILER_SIGNING_READ_KEY",
)
OPTIONS = (
    "-dir=.",
    f"-ip={LOOPBACK}",
    f"-ip.bind={LOOPBACK}",
    "-master.telemetry=false",
    # Resuming makes a restart wait some seconds for an election among one, and all that it resumes is learnt anew
    # from the volumes.
    "-master.resumeState=false",
    "-volume.preStopSeconds=0",
    "-filer.localSocket=filer.sock",
    "-s3.localSocket=s3.sock",
    "-s3.config=s3.json",
    "-s3.iam=false",
    "-s3.autoCreateBucket=false",
    "-s3.port.iceberg=0",
    "-s3.port.lance=0",
    "-webdav=false",
    "-admin.ui=false",
    "-admin.dataDir=admin",
)
PROBE = ".voicera-probe"


class Seaweed(Server):
    """SeaweedFS. Its orderly end takes a second or more, so killed with us it is killed outright, which it survives."""

    name: ClassVar[str] = "seaweedfs"
    patience: ClassVar[float] = 60.0
    dies_by: ClassVar[signal.Signals] = signal.SIGKILL
    farewells: ClassVar[Sequence[tuple[signal.Signals, float]]] = ((signal.SIGTERM, 8.0),)

    def __init__(self, home: DataDir, settings: Settings) -> None:
        super().__init__(home)
        self._program = binaries.seaweed_program(settings)
        self._bucket = settings.s3_bucket
        self._region = settings.s3_region
        self._access_key_id = home.secret("s3_access_key_id")
        self._secret_access_key = home.secret("s3_secret_access_key")
        self._at: dict[str, int] = {}

    def values(self) -> dict[str, str]:
        """The endpoint and the keys of the storage."""
        self.settled = True
        return {
            "s3_endpoint_url": f"http://{LOOPBACK}:{self._at['s3']}",
            "s3_access_key_id": self._access_key_id,
            "s3_secret_access_key": self._secret_access_key,
        }

    def prepare(self, lock: int) -> Steps[None]:  # noqa: ARG002 - nothing is started for it
        """Write down who may do what, and forget the options that it remembers from the last time."""
        if not os.access(TEMPORARY, os.W_OK | os.X_OK):
            raise ConfigurationError(
                f"SeaweedFS keeps sockets in {TEMPORARY}, where we may not write: allow it, "
                "or give VOICERA_S3_ENDPOINT_URL"
            )
        self._at = self.ports(*PARTS, *(f"{part}.grpc" for part in PARTS if part != "admin"))
        # It dials its admin part there, whatever the option says.
        self._at["admin.grpc"] = self._at["admin"] + DISTANCE
        self._sweep()
        folder = self.home.folder(self.name)
        folder.joinpath("mini.options").unlink(missing_ok=True)
        write_private(folder / "s3.json", json.dumps({"identities": [self._identity()]}))
        yield from ()

    def launch(self, lock: int) -> subprocess.Popen[bytes]:
        """Start it, each of its ports given."""
        ports = [f"-{part}.port={self._at[part]}" for part in PARTS]
        ports += [f"-{part}.port.grpc={self._at[f'{part}.grpc']}" for part in PARTS]
        keys = {key: self.home.secret(key.lower()) for key in KEYS}
        # A soft limit: left to itself it lets garbage grow to twice as much before it looks.
        environment = {**keys, "HOME": str(self.home.folder(self.name)), "GOMEMLIMIT": "192MiB"}
        return self.spawn([str(self._program), "-logtostderr=true", "mini", *OPTIONS, *ports], lock, environment)

    def probe(self) -> Steps[bool]:
        """Write an object to the bucket and remove it again; make the bucket if it is not there."""
        if not (yield from self._ask("HEAD", "", 200)) and not (yield from self._ask("PUT", "", 200)):
            return False
        return (yield from self._ask("PUT", f"/{PROBE}", 200)) and (yield from self._ask("DELETE", f"/{PROBE}", 204))

    def stop(self, hurried: Callable[[], bool]) -> Steps[None]:
        """End it, and remove the sockets that it leaves behind when it is killed."""
        yield from super().stop(hurried)
        if self._at and self.process is not None:
            self._sweep()

    def _ask(self, method: str, path: str, wanted: int) -> Steps[bool]:
        signer = Signer(f"{LOOPBACK}:{self._at['s3']}", self._access_key_id, self._secret_access_key, self._region)
        request = signer.request(method, f"/{self._bucket}{path}", b"probe" if method == "PUT" and path else b"")
        try:
            answer = yield from exchange(self._at["s3"], request, lines=1, seconds=1.0)
        except OSError:
            return False
        return status(answer) == wanted

    def _identity(self) -> dict[str, object]:
        credentials = {"accessKey": self._access_key_id, "secretKey": self._secret_access_key}
        return {
            "name": "voicera",
            "credentials": [credentials],
            "actions": ["Admin", "Read", "Write", "List", "Tagging"],
        }

    def _sweep(self) -> None:
        for part in PARTS:
            path = TEMPORARY / f"seaweedfs-{part}-grpc-{self._at[f'{part}.grpc']}.sock"
            try:
                path.unlink(missing_ok=True)
            except OSError as error:
                # It would be dialled all the same: whoever made it would hear what is meant for us.
                raise ConfigurationError(f"{path} is in the way and cannot be removed: {error.strerror}") from None
