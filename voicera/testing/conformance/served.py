"""Rules about what a plugin answers: asked over HTTP, by nobody, by the wrong key, by another owner."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from core.http.blueprint import PATH_PARAMETER, Route
from core.ids import uuid7
from core.openapi import Documents
from core.security import ADMIN
from voicera.testing.conformance.rules import rule
from voicera.testing.conformance.subject import Subject, shown
from voicera.testing.http import Answer, Client

NOT_FOUND = 404
KEYS = "/auth/api-keys"


@rule
async def it_is_active(subject: Subject) -> AsyncIterator[str]:
    """The service starts with the plugin, and `GET /plugins` shows it as active.

    Why: an installed plugin that fails is left out, and its routes are simply not there.

    Way out: the error below is what `voicera plugins` shows too; `VOICERA_STRICT_PLUGINS=1` makes it stop the start.
    """
    if subject.failure:
        yield subject.failure
        return
    shown_plugins = {each["name"]: each for each in (await subject.running.client.get("/plugins")).data}
    names = (subject.name, subject.module.__name__)
    found = next((shown_plugins[name] for name in names if name in shown_plugins), None)
    if found is None:
        yield f"it is not there; there is {', '.join(shown_plugins)}"
    elif found["status"] != "active":
        yield f"it is {found['status']}: {found['error']}"


@rule
async def its_routes_are_in_the_document(subject: Subject) -> AsyncIterator[str]:
    """`/openapi.json` holds every route of it, as valid OpenAPI 3.1.

    Why: clients are generated from it; one wrong schema of one plugin, and none of it can be read.

    Way out: declare types that JSON Schema can say: Structs, lists, dicts, literals, UUIDs, datetimes.
    """
    from openapi_spec_validator import OpenAPIV31SpecValidator  # noqa: PLC0415  # slow, and its imports open a socket

    answer = await subject.running.client.get("/openapi.json")
    if answer.status != 200:
        yield f"/openapi.json answers {answer.status}"
        return
    paths = answer.json["paths"]
    for route in subject.routes:
        if route.method.lower() not in paths.get(route.path, {}):
            yield f"{shown(route)} is missing"
    context = subject.running.app.ctx
    ours = [route for route in context.assembly.routes if shown(route) in {shown(each) for each in subject.routes}]
    document = orjson.loads(orjson.dumps(Documents(ours, context.errors).document))  # the whole takes seconds
    for error in OpenAPIV31SpecValidator(document).iter_errors():
        yield f"{'/'.join(map(str, error.absolute_path))}: {error.message[:200]}"


@rule
async def it_refuses_anonymous_callers(subject: Subject) -> AsyncIterator[str]:
    """Every route that is not public answers 401 AUTH_003 to a caller without a token.

    Why: nothing of an owner's is ever shown to nobody.

    Way out: `@requires(scope)` is enough; do not answer `authenticate` for requests that carry no credentials.
    """
    for route in subject.guarded:
        answer = await _ask(subject.running.client, route, {}, token="")
        if (answer.status, _code(answer)) != (401, "AUTH_003") or "WWW-Authenticate" not in answer.headers:
            yield f"{shown(route)} answers {answer.status} {_code(answer)}"


@rule
async def it_refuses_other_scopes(subject: Subject) -> AsyncIterator[str]:
    """Every route that asks for a scope answers 403 AUTH_004 to an API key that has another one.

    Why: a key that may read one thing is given away in the belief that it can do nothing else.

    Way out: `@requires(scope)` is enough; do not widen the scopes of a caller in `authenticate`.
    """
    if not subject.guarded:
        return
    user = await subject.running.client.new_user()
    keys: dict[str, str] = {}
    for route in subject.guarded:
        scope = _other_scope(subject, route)
        if scope not in keys:
            made = await user.post(KEYS, {"name": "conformance", "scopes": [scope]})
            assert made.status == 201, made.content
            keys[scope] = made.data["key"]
        answer = await _ask(user, route, {}, token=keys[scope])
        if (answer.status, _code(answer)) != (403, "AUTH_004"):
            yield f"{shown(route)} answers {answer.status} {_code(answer)} to a key with {scope}"


@rule
async def it_hides_what_others_have(subject: Subject) -> AsyncIterator[str]:
    """A route with an id in its path answers 404 to another owner's id, word for word as to one that does not exist.

    Why: any difference tells a stranger which ids exist.

    Way out: look for the row by `owner_id` and id in one WHERE, and raise the same error where there is none. The
    things to ask for are made by POST on the path before the id, with its example of a body; where that cannot be,
    `check_plugin(…, make={"/path": make})`, with `async def make(client) -> str`, the id.
    """
    routes = [route for route in subject.guarded if route.parameters and route.scope != ADMIN]
    if not routes:
        return
    user, neighbour = [await subject.running.client.new_user() for _ in range(2)]
    maker = _Maker(subject, user)
    for route in routes:
        first = next(iter(route.parameters))
        made, wrong = await maker.made(route, first)
        if wrong:
            yield wrong
            continue
        unknown = {name: _unknown(route, name) for name in route.parameters}
        theirs = unknown if made is None else {**unknown, first: made}
        found, expected = [await _ask(neighbour, route, values) for values in (theirs, unknown)]
        if _comparable(found, theirs) != _comparable(expected, unknown):
            yield f"{shown(route)} answers {_said(found)} to another's id, and {_said(expected)} to an unknown one"
        elif found.status != NOT_FOUND and not (found.status < 300 and route.parameters[first] is str):
            yield f"{shown(route)} answers {_said(found)} to both" + (
                "; does it need an example of a body?" if found.status in (400, 422) else ""
            )
    async for wrong in maker.lost():
        yield wrong


@dataclass
class _Maker:
    """Makes one thing of the user's for each path, and sees that it is there before and after the neighbour came."""

    subject: Subject
    user: Client

    def __post_init__(self) -> None:
        self._made: dict[str, tuple[str | None, str | None]] = {}

    async def made(self, route: Route, parameter: str) -> tuple[str | None, str | None]:
        """The id of a thing of the user's, None where it cannot be made; or what went wrong."""
        prefix = route.path.partition("/{")[0]
        if prefix not in self._made:
            found, wrong = await self._make(prefix, parameter)
            reading = self._reading(prefix) if found else None
            if found and reading and (answer := await self._read(reading, found)).status != 200:
                wrong = f"{shown(reading)} answers {_said(answer)} to the owner of what was made"
            self._made[prefix] = found, wrong
        return self._made[prefix]

    async def lost(self) -> AsyncIterator[str]:
        """Say which of the things the neighbour has taken away."""
        for prefix, (found, wrong) in self._made.items():
            reading = self._reading(prefix)
            if found and not wrong and reading and (await self._read(reading, found)).status != 200:
                yield f"{shown(reading)}: another owner has taken it away"

    async def _make(self, prefix: str, parameter: str) -> tuple[str | None, str | None]:
        if make := self.subject.make.get(prefix):
            return await make(self.user), None
        posting = [route for route in self.subject.routes if (route.method, route.path) == ("POST", prefix)]
        if not posting or "body" not in posting[0].examples:
            return None, None
        answer = await self.user.post(prefix, posting[0].examples["body"])
        if answer.status >= 300:
            return None, f"POST {prefix} answers {_said(answer)} to its own example: give make={{'{prefix}': …}}"
        data: Any = answer.json["data"] if answer.content else None
        found = (data.get(parameter) or data.get("id")) if isinstance(data, dict) else None
        return None if found is None else str(found), None

    def _reading(self, prefix: str) -> Route | None:
        """The route that shows one such thing."""
        for route in self.subject.routes:
            whole = PATH_PARAMETER.fullmatch(route.path.removeprefix(f"{prefix}/"))
            if route.method == "GET" and route.path.startswith(f"{prefix}/") and whole:
                return route
        return None

    async def _read(self, route: Route, found: str) -> Answer:
        return await _ask(self.user, route, {next(iter(route.parameters)): found})


async def _ask(client: Client, route: Route, values: Mapping[str, str], *, token: str | None = None) -> Answer:
    """Send a request to a route, with its example of a body; ids that are not given are unknown ones."""
    path = PATH_PARAMETER.sub(lambda found: values.get(found[1]) or _unknown(route, found[1]), route.path)
    if "body" in route.examples:
        return await client.request(route.method, path, json=route.examples["body"], token=token)
    if route.body is not None:
        return await client.request(route.method, path, json={}, token=token)
    headers = {} if route.streamed_body is None else {"Content-Type": route.media[0]}
    body = None if route.streamed_body is None else b""
    return await client.request(route.method, path, body=body, headers=headers, token=token)


def _other_scope(subject: Subject, route: Route) -> str:
    """A scope that this route does not ask for, of another plugin if there is one."""
    ours = {each.scope for each in subject.routes}
    scopes = sorted(subject.running.resources.scopes - {ADMIN, route.scope}, key=lambda scope: (scope in ours, scope))
    return next(scope for scope in scopes if not scope.startswith("account:"))  # no key gets those


def _unknown(route: Route, name: str) -> str:
    return str(uuid7()) if route.parameters[name] is uuid.UUID else f"unknown-{uuid7().hex[-12:]}"


def _code(answer: Answer) -> str | None:
    return answer.code if answer.content and answer.headers.get("Content-Type") == "application/json" else None


def _said(answer: Answer) -> str:
    return f"{answer.status} {_code(answer) or ''}".strip()


def _comparable(answer: Answer, values: Mapping[str, str]) -> Any:
    """An answer without what differs from one to the next: the time, and the ids that were asked for."""
    text = answer.content.decode(errors="replace")
    for name, value in values.items():
        text = text.replace(value, f"{{{name}}}")
    if answer.headers.get("Content-Type") == "application/json":
        body = orjson.loads(text)
        return answer.status, {key: value for key, value in body.items() if key != "timestamp"}
    return answer.status, text
