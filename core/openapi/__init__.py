"""The OpenAPI document at `/openapi.json` and the page at `/docs`, made from what the routes declare."""

from __future__ import annotations

from core.openapi.pages import Documents, blueprint

__all__ = ["Documents", "blueprint"]
