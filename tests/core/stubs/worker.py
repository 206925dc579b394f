"""A worker in fifty lines: the supervisor's contract, and routes that misbehave on request."""

from __future__ import annotations

import argparse
import asyncio
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

MODE = os.environ.get("STUB_WORKER", "")


async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    path = (await reader.readuntil(b"\r\n\r\n")).split()[1].decode()
    sys.stderr.write(f"asked for {path}\n")
    sys.stderr.flush()
    if path == "/slow":
        await asyncio.sleep(2)
    elif path == "/hang":
        time.sleep(3600)  # noqa: ASYNC251 - that is the point
    elif path == "/orphan":
        # Its own child ends at once; the grandchild is left to process 1 and ends half a second later.
        subprocess.run(["sh", "-c", "sleep 0.5 & :"], check=True)  # noqa: ASYNC221
    body = os.environ.get(path[1:], str(os.getpid())) if path.startswith("/VOICERA") else str(os.getpid())
    writer.write(f"HTTP/1.1 200 OK\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n{body}".encode())
    await writer.drain()
    writer.close()
    await writer.wait_closed()


async def serve(options: argparse.Namespace) -> None:
    loop = asyncio.get_running_loop()
    over = asyncio.Event()
    if MODE != "stubborn":
        loop.add_signal_handler(signal.SIGTERM, over.set)
    loop.add_reader(options.life_fd, over.set)
    server = await asyncio.start_server(answer, sock=socket.socket(fileno=options.socket_fd))
    os.write(options.beat_fd, b"R")
    while not over.is_set():
        os.write(options.beat_fd, b".")
        try:
            await asyncio.wait_for(over.wait(), 0.5)
        except TimeoutError:
            continue
    server.close()
    others = asyncio.all_tasks() - {asyncio.current_task()}
    await asyncio.gather(*others)


def main() -> None:
    parser = argparse.ArgumentParser()
    for name in ("socket", "beat", "life"):
        parser.add_argument(f"--{name}-fd", type=int)
    options = parser.parse_args()
    broken = os.environ.get("STUB_BROKEN")
    if broken and Path(broken).exists():
        code, _, reason = Path(broken).read_text().partition(" ")
        if reason:
            os.write(options.beat_fd, f"!{reason}".encode())
        sys.exit(int(code or "1"))
    if MODE == "stubborn":
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    if MODE == "mute":
        time.sleep(3600)
    asyncio.run(serve(options))


main()
