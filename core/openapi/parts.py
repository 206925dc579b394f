"""The parts of the document that are the kernel's own: the shapes of errors, the headers of answers."""

from __future__ import annotations

from core.openapi.schemas import Schema

TIMESTAMP: Schema = {"type": "string", "format": "date-time", "description": "When the answer was made."}
ENVELOPE = ["success", "data", "error", "timestamp"]

ERROR_SCHEMAS: dict[str, Schema] = {
    "FieldError": {
        "title": "FieldError",
        "type": "object",
        "description": "One failing field, by its path, as `voice_parameters.speed` or `[3].status`.",
        "properties": {"field": {"type": "string"}, "message": {"type": "string"}},
        "required": ["field", "message"],
    },
    "ErrorDetails": {
        "title": "ErrorDetails",
        "description": "A sentence, or every failing field.",
        "anyOf": [
            {"type": "string"},
            {"type": "array", "items": {"$ref": "#/components/schemas/FieldError"}},
            {"type": "null"},
        ],
    },
    "Error": {
        "title": "Error",
        "type": "object",
        "description": "An error in the envelope.",
        "properties": {
            "success": {"type": "boolean", "const": False},
            "data": {"type": "null"},
            "error": {
                "type": "object",
                "properties": {
                    "code": {"type": "string", "description": "Stable; `GET /errors` lists all."},
                    "message": {"type": "string"},
                    "details": {"$ref": "#/components/schemas/ErrorDetails"},
                },
                "required": ["code", "message", "details"],
            },
            "timestamp": TIMESTAMP,
        },
        "required": ENVELOPE,
    },
    "Problem": {
        "title": "Problem",
        "type": "object",
        "description": "The same error as problem details (RFC 9457).",
        "properties": {
            "type": {"type": "string", "format": "uri-reference"},
            "title": {"type": "string"},
            "status": {"type": "integer"},
            "code": {"type": "string"},
            "detail": {"type": "string"},
            "errors": {"type": "array", "items": {"$ref": "#/components/schemas/FieldError"}},
        },
        "required": ["type", "title", "status", "code"],
    },
}

HEADERS: dict[str, Schema] = {
    "X-Request-Id": {"description": "The id of this request in the logs.", "schema": {"type": "string"}},
    "X-RateLimit-Limit": {"description": "Units that the bucket holds.", "schema": {"type": "integer"}},
    "X-RateLimit-Remaining": {"description": "Units that are left.", "schema": {"type": "integer"}},
    "X-RateLimit-Reset": {
        "description": "When the bucket is full again, in epoch seconds.",
        "schema": {"type": "integer"},
    },
    "Preference-Applied": {
        "description": "`envelope=none`, where the request preferred that: the body is then `data` alone.",
        "schema": {"type": "string"},
    },
    "Retry-After": {"description": "Seconds to wait.", "schema": {"type": "integer"}},
    "WWW-Authenticate": {"description": "`Bearer` (RFC 6750).", "schema": {"type": "string"}},
}
