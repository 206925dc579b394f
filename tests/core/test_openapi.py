"""The OpenAPI document, for every route that is registered, and the page that shows it."""

from __future__ import annotations

import gzip
import json
import re
from collections.abc import Iterator
from typing import Annotated, Any, Literal
from uuid import UUID

import openapi_check
import openapi_spec_validator
import pytest
from jsonschema import Draft202012Validator

import core
from core.errors import ApiError, ErrorCatalogue, IdempotencyConflict, PreconditionFailed, Unauthenticated
from core.http.blueprint import JSON, Route
from core.openapi import Documents
from core.openapi.pages import ASSETS, CSP, PAGE, SERVED
from core.openapi.schemas import Schemas
from voicera import Blueprint, Meta, Page, Paging, Reply, Request, Struct, public, reply, requires
from voicera.testing import Answer, Client, Running

Operation = tuple[str, str, dict[str, Any]]


@pytest.fixture
def document(running: Running) -> dict[str, Any]:
    """The document of the application with all bundled plugins."""
    found: dict[str, Any] = running.app.ctx.openapi.document
    return found


@pytest.fixture
def routes(running: Running) -> tuple[Route, ...]:
    """All registered routes."""
    found: tuple[Route, ...] = running.app.ctx.assembly.routes
    return found


def operations(document: dict[str, Any]) -> Iterator[Operation]:
    """Every (method, path, operation) of a document."""
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield method.upper(), path, operation


def nodes(value: Any) -> Iterator[dict[str, Any]]:
    """Every object in a JSON value."""
    if isinstance(value, dict):
        yield value
        for item in value.values():
            yield from nodes(item)
    elif isinstance(value, list):
        for item in value:
            yield from nodes(item)


def references(document: dict[str, Any]) -> set[str]:
    """Everything that is referred to."""
    return {node["$ref"] for node in nodes(document) if isinstance(node.get("$ref"), str)}


def resolved(response: dict[str, Any], document: dict[str, Any]) -> dict[str, Any]:
    """A response, wherever it stands."""
    reference = response.get("$ref")
    found = document["components"]["responses"][reference.rpartition("/")[2]] if reference else response
    assert isinstance(found, dict)
    return found


class TestTheDocument:
    async def test_anyone_gets_it_bare_with_an_etag(self, anonymous: Client, document: Any) -> None:
        answer = await anonymous.get("/openapi.json")
        assert (answer.status, answer.headers["Content-Type"]) == (200, "application/json")
        assert answer.json == json.loads(json.dumps(document))
        assert answer.headers["Cache-Control"] == "public, no-cache"
        again = await anonymous.get("/openapi.json", headers={"If-None-Match": answer.headers["ETag"]})
        assert (again.status, again.content, again.headers["ETag"]) == (304, b"", answer.headers["ETag"])

    async def test_it_is_packed_for_who_takes_that_only(self, running: Running) -> None:
        url = running.url + "/openapi.json"
        seen: dict[str, tuple[str | None, str]] = {}
        for sent in ("identity", "gzip", "br, gzip;q=0.5", "gzip;q=0", "gzip;q=0.0"):
            async with running.client.session.get(url, headers={"Accept-Encoding": sent}) as answer:
                seen[sent] = (answer.headers.get("Content-Encoding"), answer.headers["ETag"])
                assert answer.headers["Vary"] == "Accept-Encoding"
        assert [sent for sent, (coding, _) in seen.items() if coding == "gzip"] == ["gzip", "br, gzip;q=0.5"]
        assert len({tag for _, tag in seen.values()}) == 2

    def test_it_is_valid_openapi_3_1_and_says_who_it_is(self, document: Any) -> None:
        openapi_spec_validator.validate(document)
        assert document["openapi"].startswith("3.1.")
        assert (document["info"]["title"], document["info"]["version"]) == ("VoiceERA", core.__version__)
        assert document["servers"] == [{"url": "/"}]
        assert document["components"]["securitySchemes"].keys() == {"bearerAuth", "apiKeyAuth"}

    def test_every_route_stands_in_it_with_its_method_and_nothing_else_does(self, document: Any, routes: Any) -> None:
        assert {(method, path) for method, path, _ in operations(document)} == {(r.method, r.path) for r in routes}

    def test_every_operation_has_summary_id_tag_and_a_good_answer(self, document: Any) -> None:
        seen: set[str] = set()
        tags = {tag["name"] for tag in document["tags"]}
        for method, path, operation in operations(document):
            assert operation["summary"].strip(), f"{method} {path}: the handler has no docstring"
            assert re.fullmatch(r"[A-Za-z][A-Za-z0-9_]*", operation["operationId"]), operation["operationId"]
            assert operation["operationId"] not in seen
            seen.add(operation["operationId"])
            assert operation["tags"]
            assert {*operation["tags"]} <= tags
            assert any(status.startswith("2") for status in operation["responses"]), f"{method} {path}"

    def test_every_component_is_referred_to_and_named_readably(self, document: Any) -> None:
        used = references(document)
        for kind in ("schemas", "responses", "headers"):
            for name in document["components"][kind]:
                assert f"#/components/{kind}/{name}" in used
                assert re.fullmatch(r"[A-Za-z][A-Za-z0-9_-]*", name), name
        for reference in used:
            _, _, kind, name = reference.split("/")
            assert name in document["components"][kind]

    async def test_every_error_code_in_it_is_in_the_catalogue(self, anonymous: Client, document: Any) -> None:
        catalogue = {found["code"]: found["statuses"] for found in (await anonymous.get("/errors")).data}
        named = 0
        for method, path, operation in operations(document):
            for status, found in operation["responses"].items():
                response = resolved(found, document)
                for node in nodes(response.get("content", {})):
                    for code in node.get("code", {}).get("enum", []) if isinstance(node.get("code"), dict) else []:
                        named += 1
                        assert code in catalogue, f"{method} {path}: {code}"
                        assert int(status) in catalogue[code], f"{method} {path}: {code} with {status}"
        assert named > 20

    def test_every_operation_lists_the_errors_of_its_route_and_of_the_kernel(self, document: Any, routes: Any) -> None:
        for route in routes:
            operation = document["paths"][route.path][route.method.lower()]
            statuses = {int(status) for status in operation["responses"]}
            assert {error.status for error in route.raises} | {500, 503} <= statuses
            assert ({401, 403} <= statuses) >= (route.scope is not None)
            assert (429 in statuses) == (route.limit is not None)
            assert (operation.get("x-required-scope") or None) == route.scope
            assert bool(operation["security"]) == (route.scope is not None or bool(route.bearer))
            if route.scope:
                assert f"`{route.scope}`" in operation["description"]
            if route.body is not None:
                assert {400, 413, 422} <= statuses
                assert {*operation["requestBody"]["content"]} == {*route.media}
            if route.query is not None:
                assert 400 in statuses

    def test_every_schema_and_every_example_is_right(self, document: Any) -> None:
        checker = openapi_check.Checker(document)
        for schema in document["components"]["schemas"].values():
            Draft202012Validator.check_schema(schema)
        for method, path, operation in operations(document):
            responses = [resolved(found, document) for found in operation["responses"].values()]
            for part in [operation.get("requestBody", {}), *responses]:
                for media, content in part.get("content", {}).items():
                    if media == JSON:
                        examples = [found["value"] for found in content.get("examples", {}).values()]
                        for example in [*examples, *([content["example"]] if "example" in content else [])]:
                            try:
                                checker.validate(example, content["schema"])
                            except openapi_check.Undocumented as wrong:
                                pytest.fail(f"an example of {method} {path}: {wrong}")

    async def test_the_kernels_own_answers_are_as_it_says(self, anonymous: Client, document: Any) -> None:
        for path in ("/health", "/liveness", "/readiness", "/version", "/plugins", "/errors", "/openapi.json", "/docs"):
            for headers in ({}, {"Prefer": "envelope=none"}, {"Accept": "application/problem+json"}):
                answer = await anonymous.get(path, headers=headers)
                assert answer.status == 200
                openapi_check.check(answer, "GET", path, document)

    async def test_a_wrong_method_is_told_the_methods_that_the_path_has(self, anonymous: Client, document: Any) -> None:
        for path, methods in document["paths"].items():
            answer = await anonymous.request("TRACE", re.sub(r"\{\w+\}", "x", path))
            assert answer.status == 405
            head = {"HEAD"} if "get" in methods else set()
            found = {*answer.headers["Allow"].split(", ")}
            assert {method.upper() for method in methods} | head | {"OPTIONS"} <= found


class Colour(Struct):
    """A colour."""

    name: Annotated[str, Meta(min_length=1, examples=["red"])]
    shade: Literal["light", "dark"] | None = None


class Wanted(Paging):
    """Filters."""

    shade: Annotated[Literal["light", "dark"] | None, Meta(description="Only of this shade.")] = None
    owner: UUID | None = None


class ColourGone(ApiError):
    """Colour not found."""

    code, status = "COLOUR_001", 404


class ColourVetoed(ApiError):
    """Another plugin holds on to the colour."""

    code, status, raised_in = "COLOUR_002", 409, ("colours_going",)


class TicketExpired(Unauthenticated):
    """Ticket expired."""

    code, raised_in = "COLOUR_003", ("authenticate",)


class WrongPassword(Unauthenticated):
    """Wrong password, which only a log-in says."""

    code = "COLOUR_004"


colours = Blueprint("/colours")


@colours.get("/{colour_id}", returns=Colour, raises=(ColourGone,), headers={"ETag": "Its version."})
@requires("colours:read")
async def get_colour(request: Request, colour_id: UUID) -> Reply:
    """Get a colour. It may be bright.

    Look away then.
    """
    return reply({"name": str(colour_id)})


@colours.get(query=Wanted, returns=Page[Colour])
@public
async def list_colours(request: Request) -> Reply:
    """List colours."""
    return reply()


@colours.delete("/{colour_id}", status=204, raises=(ColourGone, PreconditionFailed), hooks=("colours_going",))
@requires("colours:write")
async def drop_colour(request: Request, colour_id: UUID) -> Reply:
    """Drop a colour."""
    return reply(status=204)


@colours.put("/{name}", body=Colour, returns=Colour, also={201: "It is new."}, raises=(IdempotencyConflict,))
@colours.patch("/{name}", body=Colour, returns=Colour)
@requires("colours:write")
async def paint(request: Request, name: str) -> Reply:
    """Paint."""
    return reply()


@colours.post("/sound", media=("audio/wav",), reply_media="audio/wav", limit=None, bearer="a ticket")
@public
async def sing(request: Request) -> Reply:
    """Sing a colour."""
    return reply()


@colours.post(
    "/many", streamed_body=list[Colour], media=(JSON, "application/x-ndjson"), examples={"body": [{"name": "red"}]}
)
@requires("colours:write")
async def paint_many(request: Request) -> Reply:
    """Paint many."""
    return reply()


@pytest.fixture(scope="module")
def made() -> dict[str, Any]:
    """The document of the routes above."""
    catalogue = ErrorCatalogue()
    catalogue.add("colours", [ColourGone, ColourVetoed, TicketExpired, WrongPassword])
    document = Documents(colours.routes, catalogue).document
    openapi_spec_validator.validate(document)
    return document


class TestWhatADeclarationBecomes:
    def test_the_docstring_becomes_summary_and_description(self, made: Any) -> None:
        operation = made["paths"]["/colours/{colour_id}"]["get"]
        assert operation["summary"] == "Get a colour"
        assert operation["description"] == "It may be bright.\n\nLook away then.\n\nNeeds the scope `colours:read`."

    def test_a_query_struct_becomes_parameters_that_are_never_null(self, made: Any) -> None:
        optional = {"in": "query", "required": False}
        found = {parameter["name"]: parameter for parameter in made["paths"]["/colours"]["get"]["parameters"]}
        assert found == {
            "skip": {
                "name": "skip",
                **optional,
                "schema": {"type": "integer", "minimum": 0, "maximum": 2**63 - 1, "default": 0},
                "description": "How many to leave out from the front.",
            },
            "limit": {
                "name": "limit",
                **optional,
                "schema": {"type": "integer", "minimum": 1, "maximum": 1000, "default": 50},
                "description": "How many to answer at most.",
            },
            "shade": {
                "name": "shade",
                **optional,
                "schema": {"enum": ["dark", "light"], "type": "string"},
                "description": "Only of this shade.",
            },
            "owner": {"name": "owner", **optional, "schema": {"type": "string", "format": "uuid"}},
        }
        assert "Wanted" not in made["components"]["schemas"]

    def test_a_page_is_named_after_its_items(self, made: Any) -> None:
        page = made["components"]["schemas"]["ColourPage"]
        assert page["properties"]["items"] == {"type": "array", "items": {"$ref": "#/components/schemas/Colour"}}

    def test_a_get_with_an_etag_is_conditional(self, made: Any) -> None:
        operation = made["paths"]["/colours/{colour_id}"]["get"]
        assert "content" not in operation["responses"]["304"]
        assert [found["name"] for found in operation["parameters"]] == ["colour_id", "If-None-Match"]

    def test_the_errors_of_a_hook_that_may_refuse_are_the_routes_too(self, made: Any) -> None:
        operation = made["paths"]["/colours/{colour_id}"]["delete"]
        assert operation["responses"]["409"] == {"$ref": "#/components/responses/Error409_COLOUR_002"}
        assert "content" not in operation["responses"]["204"]
        assert "If-Match" in [found["name"] for found in operation["parameters"]]

    def test_what_authentication_may_say_is_on_every_route_with_a_scope(self, made: Any) -> None:
        expected = {"$ref": "#/components/responses/Error401_AUTH_003_COLOUR_003"}
        assert made["paths"]["/colours/{colour_id}"]["get"]["responses"]["401"] == expected
        assert "401" not in made["paths"]["/colours"]["get"]["responses"]

    def test_one_handler_on_two_methods_has_two_ids_and_further_statuses_stand_beside(self, made: Any) -> None:
        methods = made["paths"]["/colours/{name}"]
        assert methods["put"]["operationId"] == "core_paint_put"
        assert methods["patch"]["operationId"] == "core_paint_patch"
        assert methods["put"]["responses"]["201"]["description"] == "It is new."
        assert "Idempotency-Key" in [found["name"] for found in methods["put"]["parameters"]]

    def test_other_media_are_bytes_and_a_route_without_a_limit_says_so(self, made: Any) -> None:
        operation = made["paths"]["/colours/sound"]["post"]
        wave = {"schema": {"type": "string", "format": "binary", "contentMediaType": "audio/wav"}}
        assert operation["requestBody"]["content"] == {"audio/wav": wave}
        assert operation["responses"]["200"]["content"] == {"audio/wav": wave}
        assert "X-RateLimit-Limit" not in operation["responses"]["500"]["headers"]
        assert "x-rate-limit" not in operation
        assert operation["security"] == [{"bearerAuth": []}]

    def test_a_body_of_lines_is_documented_by_its_line(self, made: Any) -> None:
        content = made["paths"]["/colours/many"]["post"]["requestBody"]["content"]
        assert content["application/x-ndjson"]["x-item-schema"] == {"$ref": "#/components/schemas/Colour"}
        assert content["application/x-ndjson"]["example"] == '{"name":"red"}'
        assert content[JSON]["schema"] == {"type": "array", "items": {"$ref": "#/components/schemas/Colour"}}

    def test_two_structs_of_one_name_are_told_apart_by_their_plugins(self) -> None:
        here = type("Colour", (Struct,), {"__module__": "plugins.paints.schemas"})
        schemas = Schemas([Colour, here, Page[here]])  # type: ignore[valid-type]
        assert schemas.of(here) == {"$ref": "#/components/schemas/PaintsColour"}
        assert schemas.of(Page[here]) == {"$ref": "#/components/schemas/PaintsColourPage"}  # type: ignore[valid-type]

    def test_pages_of_two_plugins_structs_of_one_name_are_told_apart(self) -> None:
        """As of two packages that `voicera plugin new` has written: each has a `Page[Note]`."""

        def note(plugin: str, kind: type) -> Any:
            return type("Note", (Struct,), {"__module__": f"{plugin}.schemas", "__annotations__": {plugin: kind}})

        ours, theirs, alone = note("one", int), note("two", str), Page[Colour]
        schemas = Schemas([Page[ours], list[ours], Page[theirs], theirs, alone])
        assert set(schemas.components) == {"OneNote", "OneNotePage", "TwoNote", "TwoNotePage", "Colour", "ColourPage"}
        for struct, name, kind in ((ours, "One", "integer"), (theirs, "Two", "string")):
            assert schemas.of(Page[struct]) == {"$ref": f"#/components/schemas/{name}NotePage"}
            page = schemas.components[f"{name}NotePage"]
            assert page["title"] == f"{name}NotePage"
            assert page["properties"]["items"]["items"] == {"$ref": f"#/components/schemas/{name}Note"}
            assert schemas.components[f"{name}Note"]["properties"] == {name.lower(): {"type": kind}}

    def test_the_check_refuses_what_is_not_documented(self, made: Any) -> None:
        def answer(status: int, data: Any, headers: dict[str, str] | None = None) -> Answer:
            body = {"success": True, "data": data, "error": None, "timestamp": "2024-01-29T10:30:00Z"}
            sent = {"X-Request-Id": "1", "Content-Type": JSON, **(headers or {})}
            return Answer(status, sent, json.dumps(body).encode())

        openapi_check.check(answer(200, {"name": "red"}), "GET", "/colours/{colour_id}", made)
        wrong = [
            answer(200, {"name": ""}),
            answer(200, {"shade": None}),
            answer(202, {"name": "red"}),
            answer(404, {"name": "red"}),
            answer(200, {"name": "red"}, {"Content-Type": "text/plain"}),
            answer(200, {"name": "red"}, {"Location": "/colours/1"}),
        ]
        for found in wrong:
            with pytest.raises(openapi_check.Undocumented):
                openapi_check.check(found, "GET", "/colours/{colour_id}", made)


class TestThePage:
    async def test_it_loads_from_this_origin_only_and_runs_no_inline_script(self, anonymous: Client) -> None:
        answer = await anonymous.get("/docs")
        html = answer.content.decode()
        assert answer.headers["Content-Security-Policy"] == CSP
        assert "'unsafe-inline'" not in CSP.replace("style-src 'self' 'unsafe-inline'", "")
        linked = re.findall(r'(?:src|href)="([^"]+)"', html)
        assert [link for link in linked if link.startswith(("http", "//"))] == []
        assert re.findall(r"<script(?![^>]*src=)", html) == []
        assert len([link for link in linked if link.startswith("/docs/assets/")]) == len(SERVED)

    async def test_its_assets_may_be_kept_for_ever(self, anonymous: Client, running: Running) -> None:
        media = {"js": "text/javascript; charset=utf-8", "css": "text/css; charset=utf-8"}
        for name in running.app.ctx.openapi.assets:
            answer = await anonymous.get(f"/docs/assets/{name}")
            assert answer.status == 200
            assert answer.headers["Content-Type"] == media[name.rpartition(".")[2]]
            assert answer.headers["Cache-Control"] == "public, max-age=31536000, immutable"
            again = await anonymous.get(f"/docs/assets/{name}", headers={"If-None-Match": answer.headers["ETag"]})
            assert (again.status, again.content) == (304, b"")

    @pytest.mark.parametrize("name", ["docs.html", "docs.js", "..%2f..%2fapp.py", "README.md"])
    async def test_nothing_else_is_served_from_there(self, anonymous: Client, name: str) -> None:
        answer = await anonymous.get(f"/docs/assets/{name}")
        assert (answer.status, answer.code) == (404, "REQUEST_004")

    def test_the_vendored_files_name_their_version_and_carry_their_licence(self) -> None:
        version = re.search(r"`swagger-ui-dist` (\d+\.\d+\.\d+)", (ASSETS / "README.md").read_text())
        assert version is not None
        assert version[1] in (ASSETS / "swagger-ui-bundle.js").read_text()
        assert "Apache License" in (ASSETS / "LICENSE").read_text()
        assert (ASSETS / PAGE).exists()
        assert len(gzip.compress((ASSETS / "swagger-ui-bundle.js").read_bytes())) < 700_000
