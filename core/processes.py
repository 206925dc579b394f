"""Starting child processes that never outlive their parent, and ending them."""

from __future__ import annotations

import contextlib
import ctypes
import os
import resource
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

LINUX = sys.platform == "linux"
PR_SET_PDEATHSIG = 1
MOST_FILES = 65_536

# PyDLL keeps the interpreter's lock while it calls: after a fork there is no other thread to hand it to.
libc = ctypes.PyDLL(None, use_errno=True)

# A process has one set of children, so this is no more global than the operating system makes it.
_children: dict[int, subprocess.Popen[bytes]] = {}


def raise_file_limit() -> None:
    """Allow this process and its children as many open files as the system lets us: each client needs one."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MOST_FILES if hard == resource.RLIM_INFINITY else min(hard, MOST_FILES)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        with contextlib.suppress(OSError, ValueError):  # macOS may refuse; then it stays as it was
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def prctl(option: int, argument: int, second: int = 0) -> None:
    """Call Linux's prctl; raises OSError."""
    if libc.prctl(option, argument, second, 0, 0) != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"prctl({option}, {argument}): {os.strerror(number)}")


def spawn(
    command: Sequence[str],
    *,
    dies_by: signal.Signals,
    environment: Mapping[str, str],
    stdin: int = subprocess.DEVNULL,
    output: int | None = None,
    give: Sequence[int] = (),
    folder: Path | None = None,
    umask: int = -1,
    become: Callable[[], None] | None = None,
) -> subprocess.Popen[bytes]:
    """Start a program in a session of its own, so that a Ctrl-C in the terminal reaches only the supervisor.

    Takes the signal that the kernel sends it when the supervisor dies however abruptly (Linux only), the file
    descriptors of its input and output (our output if None), those that it shall inherit, its working folder, and a
    function that changes its user. To be called from the main thread: the kernel takes the death of the calling
    thread for that of the parent. Raises OSError or subprocess.SubprocessError if it cannot be started.
    """
    parent = os.getpid()

    def prepare() -> None:
        # Runs between fork and exec. The order matters: a change of user clears the death signal.
        if become is not None:
            become()
        if LINUX:
            prctl(PR_SET_PDEATHSIG, dies_by)
            if os.getppid() != parent:
                os._exit(1)

    child = subprocess.Popen(
        command,
        env=dict(environment),
        stdin=stdin,
        stdout=output,
        stderr=output,
        cwd=folder,
        pass_fds=tuple(give),
        start_new_session=True,
        umask=umask,
        preexec_fn=prepare if LINUX or become else None,  # noqa: PLW1509 - it takes no locks
    )
    _children[child.pid] = child
    return child


def tell(process: subprocess.Popen[bytes], number: signal.Signals) -> None:
    """Send a signal to a child that may have ended meanwhile."""
    if process.poll() is None:
        with contextlib.suppress(ProcessLookupError):
            process.send_signal(number)


def end_group(process: subprocess.Popen[bytes], seconds: float = 1.0) -> None:
    """End a child and all of its session: politely, and after `seconds` at once. Nothing if it has ended already."""
    for number, patience in ((signal.SIGTERM, seconds), (signal.SIGKILL, seconds)):
        if process.poll() is not None:
            return
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, number)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(patience)


def describe(returncode: int) -> str:
    """Say in words how a process ended: `ended with code 3`, `died of SIGKILL`."""
    if returncode >= 0:
        return f"ended with code {returncode}"
    try:
        return f"died of {signal.Signals(-returncode).name}"
    except ValueError:
        return f"died of signal {-returncode}"


def reap_orphans() -> None:
    """As process 1, collect ended processes that were handed to us because their own parents are gone.

    It only looks (WNOWAIT) before it collects, so that the bookkeeping of our own children is not disturbed.
    """
    for pid in [pid for pid, child in _children.items() if child.returncode is not None]:
        del _children[pid]
    while True:
        try:
            ended = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
        except ChildProcessError:
            return
        if ended is None or ended.si_pid in _children:
            return
        os.waitpid(ended.si_pid, 0)
