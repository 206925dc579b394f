"""Passwords: what is accepted, and argon2id (RFC 9106) in a few threads of its own, never on the event loop."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import gzip
import os
import sys
import threading
import unicodedata
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from importlib.resources import files
from typing import TypeVar

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from plugins.auth.settings import AuthSettings
from voicera import Unavailable

Result = TypeVar("Result")
COMMON = "data/common_passwords.txt.gz"
NICENESS = 5


def normal(text: str) -> str:
    """The form in which e-mails and passwords are compared with a list or each other: NFKC, case folded."""
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())


@cache
def common_passwords() -> frozenset[str]:
    """The 10,000 most common passwords of 8 characters or more, case folded."""
    packed = (files("plugins.auth") / COMMON).read_bytes()
    return frozenset(gzip.decompress(packed).decode().split("\n"))


def weakness(password: str, email: str) -> str | None:
    """Say why a password of the right length is refused, None if it is not."""
    folded, address = normal(password), normal(email)
    if folded in (address, address.partition("@")[0]):
        return "must not be the e-mail"
    if folded in common_passwords():
        return "is one of the most common passwords"
    return None


class PasswordHashing:
    """Hashes and verifies in its own threads; takes a bounded number of jobs, and refuses the rest at once."""

    def __init__(self, settings: AuthSettings) -> None:
        self._hasher = PasswordHasher(
            time_cost=settings.password_passes,
            memory_cost=settings.password_memory_kib,
            parallelism=settings.password_lanes,
        )
        self._threads = ThreadPoolExecutor(settings.password_threads, "argon2", initializer=_yield_to_requests)
        self._places = threading.Semaphore(settings.password_threads + settings.password_queue)
        self._nobody = self._nobodys_hash()

    async def hash(self, password: str) -> str:
        """Hash a password; raises Unavailable when too many wait already."""
        return await self._run(lambda: self._hasher.hash(_bytes(password)))

    async def verify(self, password: str, stored: str | None) -> tuple[bool, str | None]:
        """Say whether a password fits, and the new hash to store if the old one's cost is out of date.

        `stored` is None where there is no account: the work is the same. Raises Unavailable when too many wait.
        """
        return await self._run(lambda: self._verify(_bytes(password), stored or self._nobody))

    def close(self) -> None:
        """End the threads; jobs that wait are dropped."""
        self._threads.shutdown(wait=True, cancel_futures=True)

    def _verify(self, password: bytes, stored: str) -> tuple[bool, str | None]:
        try:
            self._hasher.verify(stored, password)
        except (VerificationError, InvalidHashError):
            return False, None
        return True, self._hasher.hash(password) if self._hasher.check_needs_rehash(stored) else None

    def _nobodys_hash(self) -> str:
        """A hash of no password, with the parameters of real ones."""
        salt, tag = (base64.b64encode(os.urandom(n)).decode().rstrip("=") for n in (16, 32))
        cost = f"m={self._hasher.memory_cost},t={self._hasher.time_cost},p={self._hasher.parallelism}"
        return f"$argon2id$v=19${cost}${salt}${tag}"

    async def _run(self, job: Callable[[], Result]) -> Result:
        if not self._places.acquire(blocking=False):
            raise Unavailable("too many log-ins at once; try again")
        try:
            future = self._threads.submit(job)
        except RuntimeError:  # the worker is stopping
            self._places.release()
            raise Unavailable("the service is stopping; try again") from None
        # Released when the thread is done with it, not when a client that went away stops waiting.
        future.add_done_callback(lambda _: self._places.release())
        return await asyncio.wrap_future(future)


def _bytes(password: str) -> bytes:
    """NFKC, as NIST SP 800-63B (section 3.1.1.2) asks for: the same password typed on another keyboard is the same."""
    return unicodedata.normalize("NFKC", password).encode()


def _yield_to_requests() -> None:
    """Lower the priority of a hashing thread, so that requests come first where processors are few.

    Linux alone has a niceness per thread; elsewhere this would be another process.
    """
    if sys.platform == "linux":
        with contextlib.suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), NICENESS)
