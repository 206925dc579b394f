"""Load on one URL: by wrk, or where that is missing by a small generator of our own."""

from __future__ import annotations

import asyncio
import re
import shutil
import subprocess
import time
from dataclasses import dataclass
from urllib.parse import urlsplit

CONNECTIONS = 32
THREADS = 2
RATE = re.compile(r"Requests/sec:\s+([\d.]+)")
MEDIAN = re.compile(r"\s50%\s+([\d.]+)(us|ms|s)")
WORST = re.compile(r"\s99%\s+([\d.]+)(us|ms|s)")
REFUSED = re.compile(r"Non-2xx or 3xx responses: (\d+)|Socket errors: (.+)")
MILLISECONDS = {"us": 0.001, "ms": 1.0, "s": 1000.0}


class LoadError(Exception):
    """The answers were not what they should be: the figure would say nothing."""


@dataclass(frozen=True, slots=True)
class Figure:
    """Requests a second, and the 50th and 99th percentile of the time to answer, in milliseconds."""

    rate: float
    p50: float
    p99: float


def generator() -> str:
    """Which generator is used here."""
    return "wrk" if shutil.which("wrk") else "asyncio (wrk is not installed: the figures are lower than they could be)"


def press(url: str, seconds: float, token: str | None = None) -> Figure:
    """Send as many GETs as 32 connections can, for so long. Raises LoadError if an answer was not a good one."""
    return _wrk(url, seconds, token) if shutil.which("wrk") else asyncio.run(_own(url, seconds, token))


def _wrk(url: str, seconds: float, token: str | None) -> Figure:
    command = ["wrk", f"-t{THREADS}", f"-c{CONNECTIONS}", f"-d{seconds:.0f}s", "--timeout", "60s", "--latency"]
    if token:
        command += ["-H", f"Authorization: Bearer {token}"]
    text = subprocess.run([*command, url], check=True, capture_output=True, text=True, timeout=seconds + 30).stdout
    if refused := REFUSED.search(text):
        raise LoadError(f"{url}: {refused[0]}")
    rate, p50, p99 = RATE.search(text), MEDIAN.search(text), WORST.search(text)
    if not (rate and p50 and p99):
        raise LoadError(f"wrk said what this program does not understand: {text[:500]}")
    return Figure(float(rate[1]), *(float(found[1]) * MILLISECONDS[found[2]] for found in (p50, p99)))


async def _own(url: str, seconds: float, token: str | None) -> Figure:
    parts = urlsplit(url)
    headers = f"Authorization: Bearer {token}\r\n" if token else ""
    target = f"{parts.path}?{parts.query}" if parts.query else parts.path
    head = f"GET {target} HTTP/1.1\r\nHost: {parts.netloc}\r\n{headers}\r\n".encode()
    until = time.perf_counter() + seconds
    begin = time.perf_counter()
    found = await asyncio.gather(
        *(_connection(parts.hostname or "", parts.port or 80, head, until) for _ in range(CONNECTIONS))
    )
    took = time.perf_counter() - begin
    times = sorted(one for many in found for one in many)
    return Figure(len(times) / took, times[len(times) // 2] * 1000, times[int(len(times) * 0.99)] * 1000)


async def _connection(host: str, port: int, head: bytes, until: float) -> list[float]:
    reader, writer = await asyncio.open_connection(host, port)
    times = []
    while (sent := time.perf_counter()) < until:
        writer.write(head)
        answer = (await reader.readuntil(b"\r\n\r\n")).lower()
        if b" 200 " not in answer[:20]:
            raise LoadError(answer[:20].decode())
        length = int(answer.partition(b"content-length:")[2].partition(b"\r\n")[0])
        await reader.readexactly(length)
        times.append(time.perf_counter() - sent)
    writer.close()
    return times
