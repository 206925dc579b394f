"""What can go wrong with connections to providers."""

from voicera import ApiError


class ConnectionNotFound(ApiError):
    """Provider connection not found."""

    code, status = "PROVIDER_001", 404


class TooManyConnections(ApiError):
    """There are too many provider connections."""

    code, status = "PROVIDER_002", 409


ALL: list[type[ApiError]] = [ConnectionNotFound, TooManyConnections]
