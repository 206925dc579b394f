"""One attempt to deliver: the request, and what its outcome means."""

import random
import ssl
import time
from dataclasses import dataclass
from datetime import datetime, timedelta

import aiohttp
from voicera import Settings

from voicera_webhooks.queries.outbox import Claimed
from voicera_webhooks.service import signing, targets

SECONDS = 10.0
MOST_RESPONSE = 1024
GONE = 410
# After the first failure 5 seconds, then … and when the last of them has failed the delivery is dead.
DELAYS = [timedelta(seconds=seconds) for seconds in (5, 30, 120, 600, 3600, 21_600, 86_400)]
JITTER = 0.2


@dataclass(frozen=True, slots=True)
class Outcome:
    """How an attempt ended: with a status and the beginning of the answer, or with an error."""

    ms: int
    status: int | None = None
    response: str | None = None
    error: str | None = None

    @property
    def good(self) -> bool:
        """True if the receiver has taken the event."""
        return self.error is None


async def send(session: aiohttp.ClientSession, settings: Settings, claimed: Claimed, now: datetime) -> Outcome:
    """Post a delivery once, in at most 10 seconds; never raises for what a receiver or the way there does."""
    began = time.monotonic()
    status: int | None = None
    response, error = None, targets.refusal(claimed.url, settings)
    if error is None:
        try:
            status, response = await _post(session, claimed, now)
            error = None if 200 <= status < 300 else f"the answer is {status}, not 2xx"
        except (aiohttp.ClientError, OSError, ValueError) as raised:
            error = _said(raised)
    return Outcome(round((time.monotonic() - began) * 1000), status, response, error)


async def _post(session: aiohttp.ClientSession, claimed: Claimed, now: datetime) -> tuple[int, str]:
    body = claimed.body.encode()
    async with session.post(
        claimed.url, data=body, headers=headers(claimed, now, body), allow_redirects=False
    ) as answer:
        beginning = b""
        while len(beginning) < MOST_RESPONSE and (piece := await answer.content.read(MOST_RESPONSE - len(beginning))):
            beginning += piece
        answer.close()  # whatever else it would send
        return answer.status, beginning.decode(errors="replace").replace("\0", "\ufffd")


def headers(claimed: Claimed, now: datetime, body: bytes) -> dict[str, str]:
    """The headers of the Standard Webhooks specification; after a rotation both secrets sign for a while."""
    both = [claimed.secret]
    if claimed.old_secret is not None and claimed.old_secret_until is not None and now < claimed.old_secret_until:
        both.append(claimed.old_secret)
    message_id, timestamp = str(claimed.id), int(now.timestamp())
    return {
        "Content-Type": "application/json",
        "webhook-id": message_id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": " ".join(signing.signature(secret, message_id, timestamp, body) for secret in both),
    }


def next_step(outcome: Outcome, tries: int, now: datetime) -> tuple[str, datetime]:
    """The state of a delivery after its attempt number `tries`, and when it is due."""
    if outcome.good:
        return "delivered", now
    if tries > len(DELAYS):
        return "dead", now
    return "waiting", now + DELAYS[tries - 1] * random.uniform(1 - JITTER, 1 + JITTER)  # noqa: S311  # no secret


def why_off(outcome: Outcome, failing_since: datetime | None, now: datetime, give_up: timedelta) -> str | None:
    """Say why a webhook should be switched off after this outcome, None if it should not."""
    if outcome.status == GONE:
        return "the receiver answered 410 Gone"
    if not outcome.good and failing_since is not None and now - failing_since > give_up:
        return f"no delivery has succeeded since {failing_since:%Y-%m-%d %H:%M} UTC; the last error: {outcome.error}"
    return None


def _said(raised: Exception) -> str:
    """An error in our words: the library's would tell what names and addresses there are in our network."""
    if targets.NOT_PUBLIC in str(getattr(raised, "os_error", None)):  # one of several, where a name has several
        return targets.NOT_PUBLIC
    match raised:
        case TimeoutError():
            return f"no answer within {SECONDS:.0f} seconds"
        case aiohttp.InvalidURL():
            return "the URL is not valid"
        case aiohttp.ClientConnectorDNSError():
            return "the name cannot be resolved"
        case aiohttp.ClientConnectorCertificateError() | aiohttp.ClientSSLError() | ssl.SSLError():
            return "TLS fails: is the certificate valid for this name?"
        case aiohttp.ClientConnectorError():
            return "cannot connect"
        case aiohttp.ClientResponseError() | aiohttp.ClientPayloadError():
            return "the answer is not HTTP"
        case _:
            return "the connection broke"
