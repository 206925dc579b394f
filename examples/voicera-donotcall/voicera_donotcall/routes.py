"""The routes of `/do-not-call`."""

from __future__ import annotations

from voicera import Blueprint, Page, Reply, Request, reply, requires

from voicera_donotcall import service
from voicera_donotcall.errors import NotListed
from voicera_donotcall.schemas import ENTRY, Entry, EntryQuery, Figure, NewNumbers, Report

READ, WRITE = "donotcall:read", "donotcall:write"
BODY_BYTES = 4 * 1024 * 1024  # 100,000 phone numbers, generously written

blueprint = Blueprint("/do-not-call")


@blueprint.post(
    body=NewNumbers,
    returns=Report,
    max_body=BODY_BYTES,
    examples={
        "body": {"phone_numbers": ["+1234567890"], "reason": "asked by mail", "expires_at": None},
        "reply": {"added": 1, "changed": 0},
    },
)
@requires(WRITE)
async def add_numbers(request: Request) -> Reply:
    """Put phone numbers on the list, one or up to 100,000; sending them again changes their reason and expiry."""
    new = request.decode(NewNumbers)
    return reply(await service.add(request.resources, request.principal.owner_id, new))


@blueprint.get(
    query=EntryQuery,
    returns=Page[Entry],
    examples={"reply": {"total": 1, "skip": 0, "limit": 50, "items": [ENTRY]}},
)
@requires(READ)
async def list_numbers(request: Request) -> Reply:
    """List the phone numbers that must not be called now, by number."""
    wanted = request.query(EntryQuery)
    return reply(await service.page(request.resources, request.principal.owner_id, wanted))


@blueprint.get("/count", returns=Figure, examples={"reply": {"value": 12, "unit": "phone numbers"}})
@requires(READ)
async def count_numbers(request: Request) -> Reply:
    """Count the phone numbers that must not be called now, as the card on the dashboard shows it."""
    return reply(await service.count(request.resources, request.principal.owner_id))


@blueprint.get("/{phone_number}", returns=Entry, raises=(NotListed,), examples={"reply": ENTRY})
@requires(READ)
async def check_number(request: Request, phone_number: str) -> Reply:
    """Say whether a phone number must not be called: its entry, or 404."""
    return reply(await service.get(request.resources, request.principal.owner_id, phone_number))


@blueprint.delete("/{phone_number}", status=204, raises=(NotListed,))
@requires(WRITE)
async def delete_number(request: Request, phone_number: str) -> Reply:
    """Take a phone number off the list."""
    await service.delete(request.resources, request.principal.owner_id, phone_number)
    return reply(status=204)
