"""The rules: whose connection a message comes by, whether it is to be believed, and which calls it reports."""

import logging
from collections.abc import Mapping
from typing import Any
from uuid import UUID

from plugins.calls.hookspecs import RecordedReport
from voicera import (
    FieldError,
    InvalidFields,
    Page,
    Paging,
    Resources,
    Unauthenticated,
    Unavailable,
    milliseconds_of,
    uuid7,
)

from voicera_providers import queries, retell, signing, vapi
from voicera_providers.errors import ConnectionNotFound, TooManyConnections
from voicera_providers.schemas import NewConnection, Received
from voicera_providers.settings import ProvidersSettings

log = logging.getLogger("voicera.providers")
MAPPERS = {"retell": retell.call_logs, "vapi": vapi.call_logs}
MOST_CONNECTIONS = 20
NOBODY = (UUID(int=0), "", "")  # whose secret no message has
NOT_VERIFIED = "the message does not carry the secret or signature of this connection"
Row = dict[str, Any]


def call_logs(resources: Resources, source: str, payload: Any) -> list[dict[str, Any]] | None:
    """The call logs that a message of a provider reports; None for a source that is none of ours.

    A call without a phone number gets the one of the settings. Without that it is left out, and logged.
    """
    if source not in MAPPERS:
        return None
    substitute = resources.settings.of(ProvidersSettings).providers_web_number
    found = [{**each, "phone_number": each["phone_number"] or substitute} for each in MAPPERS[source](payload)]
    for each in found:
        if each["phone_number"] is None:
            log.warning("a call without a phone number is left out", extra={"external_id": each["external_id"]})
    return [each for each in found if each["phone_number"] is not None]


async def sender_of(
    resources: Resources, connection_id: UUID, headers: Mapping[str, str], body: bytes
) -> tuple[UUID, str]:
    """Say whose a message is, and of which provider. Raises Unauthenticated where its sender cannot be believed."""
    found = await resources.db.reading(lambda connection: queries.find(connection, connection_id))
    owner_id, provider, secret = found or NOBODY
    if not signing.verified(provider, secret, headers, body, resources.now()):
        raise Unauthenticated(NOT_VERIFIED)
    return owner_id, provider


async def record(resources: Resources, owner_id: UUID, connection_id: UUID, provider: str, payload: Any) -> Received:
    """Record the calls that a message reports, those that are new. Raises InvalidFields, as recording does."""
    logs = call_logs(resources, provider, payload) or []
    report = RecordedReport(0, 0, 0)
    if logs:
        report = await resources.hooks.first("record_calls", resources=resources, owner_id=owner_id, logs=logs)
        if report is None:
            raise Unavailable("no plugin keeps calls")
    async with resources.db.connection() as connection:
        await queries.touch(connection, owner_id, connection_id, resources.now())
    return Received(received=report.received, created=report.created, duplicates=report.duplicates)


async def create(resources: Resources, owner_id: UUID, new: NewConnection) -> Row:
    """Add a connection; it is shown with its secret where that is ours. Raises InvalidFields, TooManyConnections."""
    shown, kept = _secret(new)
    now = resources.now()
    async with resources.db.tx() as connection:
        await queries.lock_owner(connection, owner_id)
        if await queries.count(connection, owner_id) >= MOST_CONNECTIONS:
            raise TooManyConnections(f"there may be {MOST_CONNECTIONS}")
        made = await queries.insert(
            connection,
            owner_id,
            uuid7(milliseconds_of(now)),
            now,
            provider=new.provider,
            name=new.name,
            secret=kept,
        )
    return {**made, "secret": shown}


async def page(resources: Resources, owner_id: UUID, wanted: Paging) -> Page[Any]:
    """One page of the owner's connections."""
    async with resources.db.connection() as connection:
        total = await queries.count(connection, owner_id)
        items = await queries.page(connection, owner_id, wanted.limit, wanted.skip)
    return Page(total=total, skip=wanted.skip, limit=wanted.limit, items=items)


async def get(resources: Resources, owner_id: UUID, connection_id: UUID) -> Row:
    """One connection. Raises ConnectionNotFound."""
    async with resources.db.connection() as connection:
        found = await queries.get(connection, owner_id, connection_id)
    if found is None:
        raise ConnectionNotFound
    return found


async def delete(resources: Resources, owner_id: UUID, connection_id: UUID) -> None:
    """Delete a connection: what comes by it from now on is refused, the calls stay. Raises ConnectionNotFound."""
    async with resources.db.connection() as connection:
        if not await queries.delete(connection, owner_id, connection_id):
            raise ConnectionNotFound


def _secret(new: NewConnection) -> tuple[str | None, str]:
    """What is shown of a new connection's secret, and what is kept."""
    if new.provider == "retell":
        if new.secret is None:
            raise InvalidFields([FieldError(field="secret", message="is needed: the API key that signs the webhooks")])
        return None, new.secret
    if new.secret is not None:
        raise InvalidFields([FieldError(field="secret", message="is made by us for Vapi, and shown in the answer")])
    made = signing.new_vapi_secret()
    return made, signing.hashed(made)
