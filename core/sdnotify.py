"""Tell systemd how the service fares, if it asked to be told (`Type=notify`)."""

from __future__ import annotations

import contextlib
import os
import socket


def notify(state: str) -> None:
    """Send a state such as `READY=1` to the socket named in NOTIFY_SOCKET; nothing without one, never an error."""
    address = os.environ.get("NOTIFY_SOCKET", "")
    if not address.startswith(("/", "@")):
        return
    with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as connection:
        connection.setblocking(False)
        connection.sendto(state.encode(), address.replace("@", "\0", 1) if address[0] == "@" else address)


def watchdog_interval() -> float | None:
    """Seconds between two signs of life that systemd wants, half of its limit; None if it wants none."""
    microseconds = os.environ.get("WATCHDOG_USEC", "")
    if not microseconds.isdigit() or os.environ.get("WATCHDOG_PID", str(os.getpid())) != str(os.getpid()):
        return None
    return int(microseconds) / 2_000_000
