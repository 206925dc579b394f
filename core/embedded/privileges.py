"""PostgreSQL refuses to run as root, so it runs as another user, who must still reach its files.

Both the data directory and the program may lie under a folder that only root may enter, such as /root, and no
permission outside the data directory is ours to change. On Linux the other user therefore keeps exactly one of
root's capabilities, CAP_DAC_READ_SEARCH: to read, and to pass through folders. Where root does not have it
(a container that dropped it, macOS), the data directory is opened for passing through (0711, as /home is), and a
closed folder above it is an error that says so.
"""

from __future__ import annotations

import ctypes
import os
import pwd
from dataclasses import dataclass
from pathlib import Path

from core.processes import LINUX, libc, prctl
from core.settings import ConfigurationError

CAP_DAC_READ_SEARCH = 2
CAP_SETPCAP = 8
CAPABILITY_VERSION_3 = 0x20080522
PR_SET_SECUREBITS = 28
SECBIT_NO_SETUID_FIXUP = 1 << 2
PR_CAP_AMBIENT = 47
PR_CAP_AMBIENT_RAISE = 2


class _Header(ctypes.Structure):
    _fields_ = (("version", ctypes.c_uint32), ("pid", ctypes.c_int))


class _Capabilities(ctypes.Structure):
    _fields_ = (("effective", ctypes.c_uint32), ("permitted", ctypes.c_uint32), ("inheritable", ctypes.c_uint32))


@dataclass(frozen=True, slots=True)
class OtherUser:
    """Whom a server runs as when we are root; `searches` if it keeps the capability to pass through folders."""

    uid: int
    gid: int
    searches: bool

    def become(self) -> None:
        """Be that user for good; to be called in a child between fork and exec. Raises OSError."""
        if self.searches:
            # Without this bit access(2), which initdb and postgres ask about their own program, ignores capabilities.
            prctl(PR_SET_SECUREBITS, SECBIT_NO_SETUID_FIXUP)
        os.setgroups([])
        os.setgid(self.gid)
        os.setuid(self.uid)
        if self.searches:
            _keep_only(CAP_DAC_READ_SEARCH)

    def own(self, path: Path) -> None:
        """Give that user a file or folder of the data directory."""
        os.chown(path, self.uid, self.gid, follow_symlinks=False)


def other_user(existing: Path) -> OtherUser | None:
    """Say whom PostgreSQL shall run as: None (ourselves) unless we are root.

    As root it is the owner of the existing data, else `nobody`. Nothing is created on the system.
    """
    if os.geteuid() != 0:
        return None
    uid, gid = _nobody()
    if existing.exists():
        status = existing.stat()
        uid, gid = (status.st_uid, status.st_gid) if status.st_uid else (uid, gid)
    return OtherUser(uid, gid, searches=LINUX and _has(CAP_DAC_READ_SEARCH) and _has(CAP_SETPCAP))


def make_reachable(user: OtherUser, data: Path, *programs: Path) -> None:
    """See to it that the other user can pass to the data directory and the programs.

    Changes at most the permission of the data directory itself. Raises ConfigurationError, naming the folder that
    is closed.
    """
    if user.searches:
        return
    data.chmod(0o711)
    for path in (data, *programs):
        for folder in path.resolve().parents:
            if not folder.stat().st_mode & 0o001:
                raise ConfigurationError(
                    f"PostgreSQL must not run as root, and the user it runs as cannot enter {folder}, which leads to "
                    f"{path}: run as an ordinary user, use another --data-dir, or give VOICERA_DATABASE_URL"
                )


def _nobody() -> tuple[int, int]:
    try:
        entry = pwd.getpwnam("nobody")
    except KeyError:
        return 65534, 65534
    return entry.pw_uid, entry.pw_gid


def _has(capability: int) -> bool:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("CapEff:"):
            return bool(int(line.split()[1], 16) >> capability & 1)
    return False


def _keep_only(capability: int) -> None:
    header = _Header(CAPABILITY_VERSION_3, 0)
    words = (_Capabilities * 2)()
    words[0].effective = words[0].permitted = words[0].inheritable = 1 << capability
    if libc.capset(ctypes.byref(header), ctypes.byref(words)) != 0:
        raise OSError(ctypes.get_errno(), "capset")
    prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, capability)
