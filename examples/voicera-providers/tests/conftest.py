"""What the tests share: the sample messages, connections, and what providers put into their headers."""

import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from voicera.testing import Answer, Client, Running

from voicera_providers.signing import retell_signature

PAYLOADS = Path(__file__).parent / "payloads"
KEY = "key_1234567890abcdef"
NUMBER = "+14155550123"


def payload(name: str) -> Any:
    """A sample message: `vapi/completed`."""
    return json.loads((PAYLOADS / f"{name}.json").read_text())


def names(provider: str) -> list[str]:
    """The names of a provider's sample messages."""
    return sorted(f"{provider}/{path.stem}" for path in (PAYLOADS / provider).glob("*.json"))


async def connect(client: Client, provider: str) -> dict[str, Any]:
    """Make a connection."""
    secret = {"secret": KEY} if provider == "retell" else {}
    made = await client.post("/provider-connections", {"provider": provider, "name": "tests", **secret})
    assert made.status == 201, made.content
    return dict(made.data)


Send = Callable[..., Awaitable[Answer]]


@pytest.fixture
def send(voicera_app: Running, anonymous: Client) -> Send:
    """Send a message as the provider of a connection does; `headers` are sent in place of its own."""

    async def post(connection: dict[str, Any], message: Any, headers: dict[str, str] | None = None) -> Answer:
        body = message if isinstance(message, bytes) else json.dumps(message).encode()
        if headers is None and connection["provider"] == "retell":
            now = int(voicera_app.resources.now().timestamp() * 1000)
            headers = {"X-Retell-Signature": retell_signature(KEY, body, now)}
        elif headers is None:
            headers = {"X-Vapi-Secret": connection["secret"]}
        sent = {"Content-Type": "application/json", **headers}
        return await anonymous.post(connection["events_path"], body=body, headers=sent)

    return post
