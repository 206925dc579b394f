"""How much of the machine a load test had: what other programs took makes its figures worse."""

from __future__ import annotations

import os
import time
from collections import Counter

import psutil

SERVERS = {"postgres": "postgresql", "valkey-server": "valkey", "weed": "seaweedfs"}
GENERATOR, SERVICE, OTHERS = "generator", "service", "other programs"


class Noise:
    """Watches from when it is made: the time of the processors, in all, and that of this program and its children."""

    def __init__(self) -> None:
        self.load_before = os.getloadavg()[0]
        self._began, self._busy, self._own = time.monotonic(), _busy(), _own()

    def figures(self) -> tuple[dict[str, float], str]:
        """How many processors each used on average since, by name; and the load average (1 min) before and after."""
        seconds = time.monotonic() - self._began
        own = _own() - self._own
        busy = _busy() - self._busy
        used = {name: round(spent / seconds, 2) for name, spent in own.most_common()}
        used[OTHERS] = round(max(0.0, busy - own.total()) / seconds, 2)
        return used, f"{self.load_before:.2f} before, {os.getloadavg()[0]:.2f} after"


def _busy() -> float:
    times = psutil.cpu_times()
    return float(times.user + times.system + times.nice)


def _own() -> Counter[str]:
    """Seconds of this program's children; one that has ended is in the sums of its parent, if that waited for it."""
    me = psutil.Process()
    times = me.cpu_times()
    spent = Counter({GENERATOR: times.user + times.system + times.children_user + times.children_system})
    for process in me.children(recursive=True):
        try:
            times, name = process.cpu_times(), SERVERS.get(process.name(), SERVICE)
        except psutil.Error:
            continue
        spent[name] += times.user + times.system + times.children_user + times.children_system
    return spent
