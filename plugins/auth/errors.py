"""The errors of accounts and credentials."""

from __future__ import annotations

from voicera import ApiError, Unauthenticated


class InvalidCredentials(Unauthenticated):
    """Invalid credentials."""

    code = "AUTH_001"


class TokenExpired(Unauthenticated):
    """Token expired."""

    code = "AUTH_002"


class EmailTaken(ApiError):
    """E-mail already registered."""

    code, status = "AUTH_005", 409


class RefreshTokenReused(Unauthenticated):
    """Refresh token reused: the session has been ended."""

    code = "AUTH_006"


class ApiKeyNotFound(ApiError):
    """API key not found."""

    code, status = "AUTH_007", 404


ALL: tuple[type[ApiError], ...] = (InvalidCredentials, TokenExpired, EmailTaken, RefreshTokenReused, ApiKeyNotFound)
