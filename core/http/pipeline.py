"""A request's way: authenticate, check the scope, take from the rate limit, read the body, handle, answer.

All routes are registered with Sanic as streaming ones, so that Sanic does not read the body first: a request
that is refused costs its head only. This costs less than a signal or a pair of middlewares.
"""

from __future__ import annotations

import asyncio
import logging
import re
import time
from collections.abc import Callable, Coroutine
from functools import partial
from typing import Any
from urllib.parse import unquote
from uuid import UUID

from sanic import exceptions as sanic_errors
from sanic.response import HTTPResponse

from core.errors import (
    ApiError,
    IdempotencyConflict,
    InternalError,
    MethodNotAllowed,
    NoSuchRoute,
    PermissionDenied,
    RateLimited,
    Unauthenticated,
    Unavailable,
)
from core.failures import as_api_error
from core.hooks import culprit
from core.http import idempotency
from core.http.blueprint import PATH_PARAMETER, Route
from core.http.reply import JSON_TYPE, PROBLEM_TYPE, Reply, encode, failure, problem, success
from core.http.request import Request
from core.http.response import Response, StreamedResponse
from core.http.sent import sent_values
from core.logging import Access, LogWriter, redact
from core.ratelimit import Verdict
from core.resources import utc_now

log = logging.getLogger("voicera.requests")
PREFER = "envelope=none"
GENERAL = "general"


def serve_route(route: Route) -> Callable[..., Coroutine[Any, Any, HTTPResponse]]:
    """Wrap a declared route into what Sanic calls."""
    convert = _converter(route)
    scope, handler, streams = route.scope, route.handler, route.streamed_body is not None
    once = IdempotencyConflict in route.raises

    async def serve(request: Request, **path: str) -> HTTPResponse:
        request.started = time.perf_counter()
        request.declared = route
        settings = request.resources.settings
        try:
            if route.plugin in request.app.ctx.plugins.failed:
                raise Unavailable(f"the plugin {route.plugin} is out of order")  # noqa: TRY301  # answered like others
            seconds = settings.request_deadline if route.deadline is None else route.deadline
            async with asyncio.timeout(seconds or None) as request.clock:
                await admit(request, scope, route.limit)
                key = idempotency.key_of(request) if once else None
                if not streams or key:  # also where no body is wanted, so that nothing is left on the connection
                    await request.read_body(route.max_body or settings.max_body)
                work = partial(handler, request, **convert(path))
                answer = await (work() if key is None else idempotency.answer_once(request, key, work))
            response = answer if isinstance(answer, HTTPResponse) else render(request, answer)
        except (Exception, SystemExit) as error:  # a plugin that exits does not end the worker
            response = render_error(request, error)
        return finish(request, response)

    return serve


async def admit(request: Request, scope: str | None, limit: str | None) -> None:
    """Let a request in, or raise Unauthenticated, RateLimited or PermissionDenied; notes identity and verdict on it."""
    refused: ApiError | None = None
    if scope is not None:
        try:
            request.identity = await request.resources.hooks.first("authenticate", request=request)
        except ApiError as error:
            refused = error
        if request.identity is None and refused is None:
            refused = Unauthenticated("a token is needed: Authorization: Bearer …")
    if limit is not None:
        verdict = await _take(request, limit)
        if not verdict.allowed and not verdict.ended:
            raise RateLimited(
                f"try again in {verdict.retry_after} seconds", headers={"Retry-After": str(verdict.retry_after)}
            )
        if request.identity is not None and await _ended(request, verdict):
            request.identity, refused = None, Unauthenticated("the session has ended")
    if refused is not None:
        raise refused
    if scope is not None and not request.principal.allows(scope):
        raise PermissionDenied(f"this needs the scope {scope}")


async def _take(request: Request, limit: str) -> Verdict:
    caller = request.identity
    limits = request.resources.limits
    if caller is None:
        request.verdict = await limits.take(limit, request.client_address)
    else:
        request.verdict = await limits.take(
            limit, str(caller.owner_id), owner=caller.owner_id, session=caller.session_id
        )
    return request.verdict


async def _ended(request: Request, verdict: Verdict) -> bool:
    if verdict.ended is None:  # the cache is away: who keeps the sessions must say
        return bool(
            await request.resources.hooks.first(
                "session_ended", resources=request.resources, principal=request.identity
            )
        )
    return verdict.ended


def render(request: Request, answer: Reply) -> HTTPResponse:
    """Make the response of a reply: in the envelope, or bare if the client prefers so (RFC 7240)."""
    if not isinstance(answer, Reply):
        raise TypeError(f"a handler returns reply(…), not {type(answer).__name__}")
    headers = common_headers(request) | answer.headers
    if answer.pieces is not None:
        if request.method == "HEAD":
            return Response(None, answer.status, headers, answer.content_type)
        return StreamedResponse(answer.pieces, answer.status, headers, answer.content_type)
    if answer.raw is not None:
        return Response(answer.raw, answer.status, headers, answer.content_type)
    if answer.status == 204:
        return Response(None, 204, headers, None)
    if PREFER in request.headers.getone("prefer", "").replace(" ", "").lower():
        headers |= {"Preference-Applied": PREFER, "Vary": "Prefer"}
        return Response(encode(answer.data), answer.status, headers, JSON_TYPE)
    return Response(success(answer.data, utc_now()), answer.status, headers, JSON_TYPE)


def render_error(request: Request, error: BaseException) -> HTTPResponse:
    """Make the response of an exception; what nobody foresaw is logged with its plugin and answers SERVER_001."""
    known = as_api_error(error)
    if isinstance(known, InternalError):
        plugin, hook = culprit(error) or (request.declared.plugin if request.declared else "core", None)
        sent = partial(
            sent_values, tuple(request.headers.values()), request.path, request.query_string, request.body or b""
        )
        named = {"plugin": plugin} if hook is None else {"plugin": plugin, "hook": hook}
        extra = {**named, "request_id": request.request_id, "_sent": sent}  # looked at in the writer's thread
        log.error("request failed", exc_info=error, extra=extra)
    elif known.status == 503:
        named = dict(zip(("plugin", "hook"), request.resources.hooks.timed_out(error) or (), strict=False))
        extra = {"error": type(error).__name__, "request_id": request.request_id, **named}
        log.warning("request unavailable", extra=extra)
    request.code = known.code
    headers = common_headers(request) | known.headers
    if PROBLEM_TYPE in request.headers.getone("accept", ""):
        return Response(problem(known.body(), known.status), known.status, headers, PROBLEM_TYPE)
    return Response(failure(known.body(), utc_now()), known.status, headers, JSON_TYPE)


def common_headers(request: Request) -> dict[str, str]:
    """The headers that every answer carries; a handler's own take their place."""
    headers = {
        "X-Request-Id": request.request_id,
        "X-Content-Type-Options": "nosniff",
        "Cache-Control": "no-store",
    }
    return headers if request.verdict is None else headers | request.verdict.headers()


def finish(request: Request, response: HTTPResponse) -> HTTPResponse:
    """Queue the log line of an answer, and hand the answer on."""
    writer: LogWriter | None = request.app.ctx.log
    if writer is not None:
        writer.put(
            Access(
                time.time(),
                request.request_id if request.id_is_ours else redact(request.request_id),
                request.method,
                request.declared.path if request.declared else "-",
                request.identity.owner_id if request.identity else None,
                response.status,
                time.perf_counter() - request.started,
                request.code,
            )
        )
    return response


async def serve_error(request: Request, error: Exception) -> HTTPResponse:
    """Answer what failed outside a route: no such route, wrong method, a request that cannot be parsed."""
    if not request.started:
        request.started = time.perf_counter()
    if isinstance(error, sanic_errors.MethodNotAllowed):
        error = _method_not_allowed(request)
    error = as_api_error(error) if isinstance(error, sanic_errors.SanicException) else error
    if request.verdict is None and hasattr(request.app.ctx, "resources") and not isinstance(error, Unavailable):
        try:
            await admit(request, None, GENERAL)
        except ApiError as refused:
            error = refused
    if request.method == "OPTIONS" and isinstance(error, MethodNotAllowed):
        return finish(request, Response(None, 204, common_headers(request) | error.headers, None))
    return finish(request, render_error(request, error))


def _method_not_allowed(request: Request) -> MethodNotAllowed:
    """The error with `Allow` (RFC 9110, section 15.5.6), which Sanic leaves out where the path has parameters."""
    routes: tuple[Route, ...] = request.app.ctx.assembly.routes
    path = request.path.rstrip("/") or "/"
    methods = {route.method for route in routes if re.fullmatch(PATH_PARAMETER.sub("[^/]+", route.path), path)}
    allowed = ", ".join(sorted(methods | {"OPTIONS"} | ({"HEAD"} if "GET" in methods else set())))
    return MethodNotAllowed(f"allowed: {allowed}", headers={"Allow": allowed})


def _converter(route: Route) -> Callable[[dict[str, str]], dict[str, Any]]:
    """A path parameter that cannot be an id answers as an id that does not exist."""
    missing = route.not_found or NoSuchRoute
    uuids = {name for name, kind in route.parameters.items() if kind is UUID}

    def convert(path: dict[str, str]) -> dict[str, Any]:
        values: dict[str, Any] = {}
        for name, text in path.items():
            try:
                values[name] = UUID(text) if name in uuids else unquote(text, errors="strict")
            except ValueError:
                raise missing() from None
        return values

    return convert
