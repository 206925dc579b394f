"""Cross-origin requests: off unless origins are configured; then sanic-ext answers for them.

sanic-ext is used for this alone, and explicitly: extending an application automatically costs every request a
fifth, and its validation and its OpenAPI document do not meet our contract.
"""

from __future__ import annotations

from typing import Any

from sanic import Sanic

from core.settings import Settings

ALLOWED_HEADERS = "authorization,content-type,idempotency-key,if-match,if-none-match,prefer,x-api-key,x-request-id"
EXPOSED_HEADERS = "etag,location,retry-after,x-ratelimit-limit,x-ratelimit-remaining,x-ratelimit-reset,x-request-id"


def allow_origins(app: Sanic[Any, Any], settings: Settings) -> None:
    """Let pages of the configured origins call the API, with tokens in headers; never with cookies."""
    if not settings.cors_origins:
        return
    from sanic_ext import Config, Extend  # noqa: PLC0415  # half a second to import, and off by default
    from sanic_ext.extensions.http.extension import HTTPExtension  # noqa: PLC0415

    config = Config(
        cors=True,
        cors_origins=",".join(settings.cors_origins),
        cors_allow_headers=ALLOWED_HEADERS,
        cors_expose_headers=EXPOSED_HEADERS,
        cors_max_age=600,
        http_auto_head=False,
        http_auto_options=True,
    )
    Extend(app, extensions=[HTTPExtension], built_in_extensions=False, config=config)
