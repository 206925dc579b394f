"""The data directory: who holds it, its secrets and ports, and what runs in it.

lock                     held by the supervisor as long as it runs; says its pid
stack.json               the running service: pid, address, and the settings that the bundled servers give
secrets.json ports.json  made once, then kept
logs/                    what the bundled servers say
postgresql/ valkey/ seaweedfs/
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import secrets
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from core.embedded.ports import choose_port, is_free
from core.settings import ConfigurationError

LOCK = "lock"
STACK = "stack.json"
SECRETS = "secrets.json"
PORTS = "ports.json"
# A second start waits this long for the lock: `running_stack` holds it for an instant to see whether it is free.
PATIENCE = 0.5


class DataDir:
    """A data directory that this process holds, from `open` until `close`."""

    def __init__(self, path: Path, lock: int) -> None:
        self.path = path
        self._lock = lock

    @classmethod
    def open(cls, path: Path) -> DataDir:
        """Make the directory if need be, and hold it; raises ConfigurationError if somebody else does."""
        path = path.expanduser().absolute()
        try:
            _make(path)
            lock = os.open(path / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise ConfigurationError(f"data directory {path}: {error.strerror}") from None
        try:
            _hold(lock, path)
        except BaseException:
            os.close(lock)
            raise
        return cls(path, lock)

    def close(self) -> None:
        """Let go of the directory."""
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1

    def folder(self, name: str) -> Path:
        """Return a folder of that name in the directory, for us alone; made if it is not there."""
        folder = self.path / name
        folder.mkdir(mode=0o700, exist_ok=True)
        return folder

    def log(self, name: str) -> Path:
        """Return the path of a bundled server's log."""
        return self.folder("logs") / f"{name}.log"

    def secret(self, name: str) -> str:
        """Return the secret of that name: 43 characters of letters, digits, `-` and `_`; made once and kept."""
        kept = self._read(SECRETS)
        if name not in kept:
            kept[name] = secrets.token_urlsafe(32)
            self.write(SECRETS, kept)
        return str(kept[name])

    def ports(self, *names: str) -> dict[str, int]:
        """Return a loopback port for each name: the one kept from the last time if it is free, else a new one."""
        kept = self._read(PORTS)
        chosen = {name: port for name in names if isinstance(port := kept.get(name), int) and is_free(port)}
        for name in names:
            if name not in chosen:
                chosen[name] = choose_port({*kept.values(), *chosen.values()})
        if any(kept.get(name) != chosen[name] for name in names):
            self.write(PORTS, {**kept, **chosen})
        return chosen

    def write(self, name: str, values: Mapping[str, Any]) -> None:
        """Write a file of values (0600) so that a reader, or a crash, finds the old one or the new one."""
        temporary = self.path / f".{name}.new"
        write_private(temporary, json.dumps(dict(values), indent=1))
        temporary.replace(self.path / name)

    def remove(self, name: str) -> None:
        """Remove a file if it is there."""
        (self.path / name).unlink(missing_ok=True)

    def _read(self, name: str) -> dict[str, Any]:
        path = self.path / name
        try:
            return _values(path)
        except FileNotFoundError:
            return {}
        except (OSError, ValueError, TypeError):
            raise ConfigurationError(f"{path} cannot be read as JSON: restore it from a backup") from None


def own_dir(path: Path) -> Path:
    """Make the data directory (0700) if need be, mark it as ours, and return it, for what a plugin keeps there.

    Raises ConfigurationError if it is somebody else's, or cannot be made.
    """
    path = path.expanduser().absolute()
    try:
        _make(path)
        (path / LOCK).touch(mode=0o600)
    except OSError as error:
        raise ConfigurationError(f"data directory {path}: {error.strerror}") from None
    return path


def running_stack(path: Path) -> dict[str, Any] | None:
    """Say what runs in a data directory: the contents of its `stack.json`, or None if nothing does.

    What a killed supervisor left behind is not believed: the lock must be held.
    """
    path = path.expanduser().absolute()
    try:
        lock = os.open(path / LOCK, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        with contextlib.suppress(OSError, ValueError, TypeError):
            return _values(path / STACK)
    finally:
        os.close(lock)
    return None


def write_private(path: Path, text: str) -> None:
    """Write a new file that only we may read, in place of any that was there, and bring it to the disk."""
    path.unlink(missing_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())


def _make(path: Path) -> None:
    if path.is_dir() and any(entry.name != "lost+found" for entry in path.iterdir()) and not (path / LOCK).exists():
        raise ConfigurationError(f"data directory {path}: it holds other files; name an empty or a new one")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.mkdir(mode=0o700, exist_ok=True)
    # 0711 is what privileges.py makes of it where it must.
    if path.stat().st_mode & 0o777 not in (0o700, 0o711):
        path.chmod(0o700)


def _hold(lock: int, path: Path) -> None:
    until = time.monotonic() + PATIENCE
    while True:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            break
        except BlockingIOError:
            if time.monotonic() > until:
                holder = os.pread(lock, 20, 0).decode("ascii", "replace").strip() or "unknown"
                message = f"data directory {path} is in use by another voicera serve, pid {holder}"
                raise ConfigurationError(message) from None
            time.sleep(0.02)
    os.ftruncate(lock, 0)
    os.pwrite(lock, f"{os.getpid()}\n".encode(), 0)


def _values(path: Path) -> dict[str, Any]:
    values: dict[str, Any] = dict(json.loads(path.read_text(encoding="utf-8")))
    return values
