"""Knows voice servers by their client certificates, which a trusted proxy has checked: CN is the owner's id."""

from uuid import UUID, uuid5

from voicera import Principal, Request, Unauthenticated, hookimpl

SCOPES = frozenset({"calls:read", "calls:write"})


@hookimpl
async def authenticate(request: Request) -> Principal | None:
    serial = request.headers.get("x-client-cert-serial")
    if serial is None or request.ip not in request.resources.settings.trusted_proxies:
        return None  # somebody else may know who it is
    try:
        owner_id = UUID(request.headers.get("x-client-cert-cn", ""))
    except ValueError:
        raise Unauthenticated("the certificate names no owner") from None
    return Principal(owner_id, "user", SCOPES, session_id=uuid5(owner_id, serial), kind="certificate")
