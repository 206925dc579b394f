"""HTTP clients that cost next to nothing themselves: they share the machine with what is measured."""

from __future__ import annotations

import asyncio
import json
import socket
import time
from collections.abc import Iterable, Iterator
from typing import Any, Self
from urllib.parse import urlsplit

from loadtests.bench.load import LoadError

Post = tuple[bytes, str]  # a body and its media type
HEAD_END = b"\r\n\r\n"


async def post_all(url: str, token: str | None, posts: Iterable[Post], clients: int) -> int:
    """Send the posts by so many keep-alive clients, each as soon as it is free; how many were answered 201.

    Raises LoadError where an answer was another one.
    """
    queue = iter(posts)
    counts = await asyncio.gather(*(_post_some(url, token, queue) for _ in range(clients)))
    return sum(counts)


async def _post_some(url: str, token: str | None, queue: Iterator[Post]) -> int:
    parts = urlsplit(url)
    head = _head("POST", url, token)
    reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
    sent = 0
    for body, media in queue:
        writer.write(head + f"Content-Type: {media}\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body)
        answer = await reader.readuntil(HEAD_END)
        rest = await reader.readexactly(_length(answer))
        if b" 201 " not in answer[:20]:
            raise LoadError(f"{url}: {answer[:20].decode()} {rest[:500].decode()}")
        sent += 1
    writer.close()
    return sent


class Getter:
    """One keep-alive connection that asks for one thing after the other."""

    def __init__(self, base: str, token: str | None = None) -> None:
        parts = urlsplit(base)
        self._base, self._token = base, token
        self._socket = socket.create_connection((parts.hostname, parts.port), timeout=60)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()

    def times(self, path: str, requests: int) -> list[float]:
        """Ask so many times; the milliseconds that each answer took."""
        head = _head("GET", self._base + path, self._token) + b"\r\n"
        found = []
        for _ in range(requests):
            began = time.perf_counter()
            self._ask(head)
            found.append((time.perf_counter() - began) * 1000)
        return found

    def data(self, path: str) -> Any:
        """The data of an answer."""
        return json.loads(self._ask(_head("GET", self._base + path, self._token) + b"\r\n"))["data"]

    def _ask(self, request: bytes) -> bytes:
        self._socket.sendall(request)
        answer = self._socket.recv(1 << 18)
        while (end := answer.find(HEAD_END)) < 0:
            answer += self._receive()
        missing = end + len(HEAD_END) + _length(answer[:end]) - len(answer)
        while missing > 0:
            piece = self._receive()
            answer += piece
            missing -= len(piece)
        if b" 200 " not in answer[:20]:
            raise LoadError(f"{request.splitlines()[0].decode()}: {answer[-500:].decode()}")
        return answer[end + len(HEAD_END) :]

    def _receive(self) -> bytes:
        piece = self._socket.recv(1 << 18)
        if not piece:
            raise LoadError("the service closed the connection")
        return piece


def _head(method: str, url: str, token: str | None) -> bytes:
    parts = urlsplit(url)
    target = f"{parts.path}?{parts.query}" if parts.query else parts.path
    authorization = f"Authorization: Bearer {token}\r\n" if token else ""
    return f"{method} {target} HTTP/1.1\r\nHost: {parts.netloc}\r\n{authorization}".encode()


def _length(head: bytes) -> int:
    return int(head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0] or 0)
