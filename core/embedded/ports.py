"""Free ports on the loopback address."""

from __future__ import annotations

import random
import socket
from collections.abc import Container

from core.steps import LOOPBACK

# Below the range from which systems take the ports of outgoing connections, so that a kept port stays free;
# SeaweedFS wants some ports 10,000 above others, and those must be below it too.
RANGE = range(15_000, 22_500)
DISTANCE = 10_000


def is_free(port: int) -> bool:
    """Whether a server could listen on that port, and on the one 10,000 above it, now."""
    return all(_can_bind(number) for number in (port, port + DISTANCE))


def choose_port(taken: Container[int]) -> int:
    """Return a free port that is not among those taken; raises OSError if no such port is found."""
    for port in random.sample(RANGE, 500):
        if port not in taken and is_free(port):
            return port
    raise OSError("no free port on the loopback address")


def is_listening(port: int) -> bool:
    """Whether somebody accepts connections on that loopback port."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.settimeout(0.1)
        return probe.connect_ex((LOOPBACK, port)) == 0


def _can_bind(port: int) -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        # As servers do: a port whose last connections are still closing is free.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
    return True
