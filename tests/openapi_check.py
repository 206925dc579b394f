"""Checks real answers against the OpenAPI document: status, media type, headers and body.

`check(answer, method, path_template, document)` for one answer; `Checker(document)` as the `on_answer` of a
`voicera.testing.Client`, so that every test which uses the client proves the document too.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Protocol

import orjson
from jsonschema import Draft202012Validator, FormatChecker

JSON = "application/json"
PROBLEM = "application/problem+json"
ENVELOPE = {"success", "data", "error", "timestamp"}
LONG_LIST = 40
FORMATS = FormatChecker(["uuid", "date"])
UTC_MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,3})?Z")


class Answer(Protocol):
    """What is checked: `voicera.testing.Answer`, or anything like it."""

    @property
    def status(self) -> int: ...
    @property
    def headers(self) -> Mapping[str, str]: ...
    @property
    def content(self) -> bytes: ...


class Undocumented(AssertionError):
    """An answer is not as the document says."""


@FORMATS.checks("date-time")
def _is_moment(value: object) -> bool:
    return not isinstance(value, str) or UTC_MOMENT.fullmatch(value) is not None


def check(answer: Answer, method: str, path_template: str, document: dict[str, Any]) -> None:
    """Check an answer to `method` on a path of the document; raises Undocumented with the reason."""
    _checker(id(document), _Held(document)).check(answer, method, path_template)


class Checker:
    """Checks answers against one document; validators are compiled once for each operation, status and media type."""

    def __init__(self, document: dict[str, Any]) -> None:
        self._document = document
        self._validators: dict[tuple[str, str, int, str, bool], Draft202012Validator] = {}
        literal_first = sorted(document["paths"], key=lambda path: (path.count("{"), path))
        self._patterns = [
            (re.compile(re.sub(r"\\\{\w+\\\}", "[^/]+", re.escape(path))), path) for path in literal_first
        ]

    def __call__(self, method: str, path: str, answer: Answer) -> None:
        """Find the operation of a request, then check its answer."""
        self.check(answer, method, self.template(path))

    def template(self, path: str) -> str | None:
        """The path of the document that a request's path fits; None if there is none."""
        bare = path.partition("?")[0]
        bare = bare.rstrip("/") or "/"
        return next((template for pattern, template in self._patterns if pattern.fullmatch(bare)), None)

    def check(self, answer: Answer, method: str, template: str | None) -> None:
        """Check an answer; raises Undocumented with the reason."""
        where = f"{method} {template}: {answer.status}"
        operation = self._operation(method, template)
        if operation is None:
            self._check_no_operation(answer, method, where)
            return
        assert template is not None
        response = self._resolved(operation["responses"].get(str(answer.status)))
        if response is None:
            raise Undocumented(
                f"{where} is not documented; there are {', '.join(operation['responses'])}: {_start(answer)}"
            )
        self._check_headers(answer, response, where)
        if method == "HEAD" or "content" not in response:
            if answer.content:
                raise Undocumented(f"{where} has a body: {_start(answer)}")
            return
        self._check_body(answer, response["content"], (method, template), where)

    def _operation(self, method: str, template: str | None) -> dict[str, Any] | None:
        operations = self._document["paths"].get(template, {})
        found: dict[str, Any] | None = operations.get("get" if method == "HEAD" else method.lower())
        return found

    def _check_no_operation(self, answer: Answer, method: str, where: str) -> None:
        """No such path or method: the document says in its description what then comes."""
        if method in ("HEAD", "OPTIONS"):
            return
        body = orjson.loads(answer.content)
        error = body if answer.headers.get("Content-Type", "").startswith(PROBLEM) else body["error"] or {}
        if answer.status not in (400, 404, 405, 429, 501, 503) or not error.get("code"):
            raise Undocumented(f"{where}: this operation is not in the document: {_start(answer)}")

    def _check_headers(self, answer: Answer, response: dict[str, Any], where: str) -> None:
        if "x-request-id" not in {name.lower() for name in answer.headers}:
            raise Undocumented(f"{where} has no X-Request-Id")
        documented = {name.lower() for name in response.get("headers", {})}
        for name in ("Location", "ETag", "Retry-After", "WWW-Authenticate", "X-RateLimit-Limit", "Preference-Applied"):
            if name in answer.headers and name.lower() not in documented:
                raise Undocumented(f"{where} carries {name}, which is not documented")

    def _check_body(self, answer: Answer, content: dict[str, Any], key: tuple[str, str], where: str) -> None:
        media = answer.headers.get("Content-Type", "").partition(";")[0].strip()
        documented = next((found for found in (media, media.partition("/")[0] + "/*") if found in content), None)
        if documented is None:
            raise Undocumented(f"{where} is {media or 'without a type'}, documented is {', '.join(content)}")
        if media not in (JSON, PROBLEM):
            return
        bare = answer.headers.get("Preference-Applied") == "envelope=none"
        value = orjson.loads(answer.content)
        validator = self._validator((*key, answer.status, documented, bare), content[documented].get("schema", {}))
        for error in validator.iter_errors(_shortened(value)):
            at = "/".join(map(str, error.absolute_path))
            raise Undocumented(f"{where}: at {at or 'the top'}: {_reason(error)[:400]}")
        if not bare and media == JSON and "success" in value and value.keys() != ENVELOPE:
            raise Undocumented(f"{where}: the envelope has {sorted(value)}")

    def _validator(self, key: tuple[str, str, int, str, bool], schema: dict[str, Any]) -> Draft202012Validator:
        found = self._validators.get(key)
        if found is None:
            wanted = _data_of(schema) if key[-1] else schema
            found = self._validators[key] = self._compiled(wanted)
        return found

    def _compiled(self, schema: dict[str, Any]) -> Draft202012Validator:
        """A validator; the components stand beside the schema, where its references look for them."""
        return Draft202012Validator({**schema, "components": self._document["components"]}, format_checker=FORMATS)

    def _resolved(self, response: dict[str, Any] | None) -> dict[str, Any] | None:
        if response is None or "$ref" not in response:
            return response
        found: dict[str, Any] = self._document["components"]["responses"][response["$ref"].rpartition("/")[2]]
        return found

    def validate(self, value: Any, schema: dict[str, Any]) -> None:
        """Validate any value against a schema of the document, as the tests do with its examples."""
        for error in self._compiled(schema).iter_errors(value):
            raise Undocumented(f"at {'/'.join(map(str, error.absolute_path))}: {_reason(error)}")


class _Held:
    """Keeps a document alive beside its id, and out of the cache's hashing."""

    def __init__(self, document: dict[str, Any]) -> None:
        self.document = document

    def __hash__(self) -> int:
        return id(self.document)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Held) and other.document is self.document


@lru_cache(maxsize=8)
def _checker(_id: int, held: _Held) -> Checker:
    return Checker(held.document)


def _data_of(schema: dict[str, Any]) -> dict[str, Any]:
    """What stands under `data`, from the schema of the envelope (or of one that may also be an error)."""
    for option in (schema, *schema.get("anyOf", [])):
        if "data" in option.get("properties", {}):
            found: dict[str, Any] = option["properties"]["data"]
            return found
    return schema


def _shortened(value: Any) -> Any:
    """Leave out the middle of long lists: a page of 1,000 items proves no more than 40 of them."""
    if isinstance(value, dict):
        return {key: _shortened(item) for key, item in value.items()}
    if isinstance(value, list):
        few = value if len(value) <= LONG_LIST else [*value[: LONG_LIST // 2], *value[-LONG_LIST // 2 :]]
        return [_shortened(item) for item in few]
    return value


def _reason(error: Any) -> str:
    """The deepest reason, since `anyOf` alone tells nothing."""
    while error.context:
        error = max(error.context, key=lambda inner: len(inner.absolute_path))
    return f"{error.message} (schema {'/'.join(map(str, error.absolute_schema_path))})"


def _start(answer: Answer) -> str:
    return answer.content[:300].decode(errors="replace")
