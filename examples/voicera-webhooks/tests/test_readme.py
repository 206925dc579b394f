"""What the README tells receivers to do is right."""

import json
import re
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from voicera_webhooks.service.signing import new_secret, signature

README = (Path(__file__).parents[1] / "README.md").read_text()
BODY = b'{"type": "call.recorded", "data": "\xc3\xa9"}'


def block(language: str, number: int = 0) -> str:
    return re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)[number]


def cases() -> list[tuple[bool, str, dict[str, str]]]:
    """What is to be said, the secret, and the headers."""
    secret, other, now = new_secret(), new_secret(), int(time.time())
    signed = {at: signature(secret, "e1", at, BODY) for at in (now, now - 1000)}
    return [
        (True, secret, {"webhook-id": "e1", "webhook-timestamp": str(now), "webhook-signature": signed[now]}),
        (
            True,
            secret,
            {"webhook-id": "e1", "webhook-timestamp": str(now), "webhook-signature": f"v1,AA {signed[now]}"},
        ),
        (False, other, {"webhook-id": "e1", "webhook-timestamp": str(now), "webhook-signature": signed[now]}),
        (False, secret, {"webhook-id": "e2", "webhook-timestamp": str(now), "webhook-signature": signed[now]}),
        (False, secret, {"webhook-id": "e1", "webhook-timestamp": str(now - 1), "webhook-signature": signed[now]}),
        (
            False,
            secret,
            {"webhook-id": "e1", "webhook-timestamp": str(now - 1000), "webhook-signature": signed[now - 1000]},
        ),
    ]


def test_the_python_code_verifies() -> None:
    names: dict[str, Any] = {}
    exec(block("python"), names)  # noqa: S102  # our own README
    assert [names["verified"](secret, headers, BODY) for _, secret, headers in cases()] == [
        right for right, _, _ in cases()
    ]


def test_the_receiver_says_what_is_signed() -> None:
    with socket.create_server(("127.0.0.1", 0)) as found:
        port = found.getsockname()[1]
    (_, secret, headers), *_ = cases()
    code = (block("python") + block("python", 1)).replace("whsec_…", secret).replace("9000", str(port))
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as receiver:  # noqa: S603
        assert receiver.stdout
        try:
            assert [post(port, headers), post(port, {**headers, "webhook-id": "e2"})] == [204, 401]
            assert receiver.stdout.readline() == f"True {BODY.decode()}\n"
        finally:
            receiver.kill()


def post(port: int, headers: dict[str, str]) -> int:
    """The status of the answer; the receiver may take a moment to start."""
    request = urllib.request.Request(f"http://127.0.0.1:{port}/", BODY, headers)
    for _ in range(100):
        try:
            with urllib.request.urlopen(request, timeout=5) as answer:  # noqa: S310
                return int(answer.status)
        except urllib.error.HTTPError as refused:
            with refused:
                return refused.code
        except OSError:
            time.sleep(0.1)
    raise TimeoutError


@pytest.mark.skipif(shutil.which("node") is None, reason="needs node")
def test_the_node_code_verifies() -> None:
    wanted = cases()
    sent = json.dumps([[secret, headers] for _, secret, headers in wanted])
    script = (
        block("js")
        + f"""
        const body = Buffer.from({BODY.decode()!r});
        console.log(JSON.stringify({sent}.map(([secret, headers]) => verified(secret, headers, body))));
    """
    )
    done = subprocess.run(["node", "-e", script], capture_output=True, text=True, check=True)  # noqa: S603, S607
    assert json.loads(done.stdout) == [right for right, _, _ in wanted]


def test_the_specifications_own_example_is_signed_so() -> None:
    """The example that the specification gives, of its reference libraries."""
    body = b'{"test": 2432232314}'
    secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"  # noqa: S105  # public
    assert (
        signature(secret, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, body)
        == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
    )


def test_every_setting_and_route_is_in_the_readme() -> None:
    from voicera_webhooks.routes import blueprint
    from voicera_webhooks.settings import WebhooksSettings

    assert [name for name in WebhooksSettings.model_fields if f"VOICERA_{name.upper()}" not in README] == []
    paths = {route.path.replace("{webhook_id}", "{id}") for route in blueprint.routes}
    assert [path for path in paths if path not in README] == []
