"""Bodies that are paid for by the byte, from the bucket that the route's `limit` names."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from typing import Any

from core.errors import RateLimited
from core.http.body import pieces, too_large
from core.http.request import Request
from core.ratelimit import Verdict


@asynccontextmanager
async def metered(request: Request, limit: int) -> AsyncIterator[AsyncIterator[bytes]]:
    """Give the body piece by piece, at most `limit` bytes, and take as many units from the route's bucket.

    One unit was taken when the request was let in. An announced length is taken before anything is read, and kept
    if less comes; of a chunked body, what came is taken afterwards. A body larger than the whole bucket is let in
    when the bucket is full, and leaves it in debt. Raises BodyTooLarge and RateLimited.
    """
    announced = announced_length(request)
    if announced is not None:
        if announced > limit:
            raise too_large(limit)
        if announced > 1:
            verdict = await _spend(request, announced - 1, forced=False)
            if not verdict.allowed:
                raise RateLimited(
                    f"try again in {verdict.retry_after} seconds", headers={"Retry-After": str(verdict.retry_after)}
                )
    came = 0

    async def counted() -> AsyncIterator[bytes]:
        nonlocal came
        async with aclosing(pieces(request, limit)) as body:  # type: ignore[type-var]  # it is a generator
            async for piece in body:
                came += len(piece)
                yield piece

    try:
        async with aclosing(counted()) as body:  # type: ignore[type-var]
            yield body
    finally:
        if announced is None and came > 1:  # also of an upload that broke off
            await request.resources.background.finish("rate limit", _spend(request, came - 1, forced=True))


def announced_length(request: Request) -> int | None:
    """The body's length as its head says; None for a chunked one."""
    stream: Any = request.stream
    if stream is None or not stream.request_body:
        return 0
    return None if stream.request_body == "chunked" else int(stream.request_bytes_left)


async def _spend(request: Request, units: int, *, forced: bool) -> Verdict:
    assert request.declared is not None
    assert request.declared.limit is not None, "a metered route names its bucket"
    who = str(request.identity.owner_id) if request.identity else request.client_address
    verdict = await request.resources.limits.spend(request.declared.limit, who, units, forced=forced)
    request.verdict = verdict
    return verdict
