"""What this plugin keeps while a worker runs: keys, hashing threads, and the credentials it has verified."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field
from datetime import datetime
from typing import Generic, TypeVar

from plugins.auth.service.keys import load_keys
from plugins.auth.service.passwords import PasswordHashing
from plugins.auth.service.tokens import AccessTokens
from plugins.auth.settings import AuthSettings
from voicera import Principal, Resources, Settings

NAME = "auth"
MOST_REMEMBERED = 20_000
Value = TypeVar("Value")


class Memory(Generic[Value]):
    """A mapping of bounded size that forgets its oldest entry first."""

    __slots__ = ("_kept", "_most", "forget", "get")

    def __init__(self, most: int = MOST_REMEMBERED) -> None:
        self._kept: OrderedDict[str, Value] = OrderedDict()
        self._most = most
        self.get = self._kept.get
        self.forget = self._kept.pop

    def keep(self, key: str, value: Value) -> None:
        """Remember a value."""
        if len(self._kept) >= self._most:
            self._kept.popitem(last=False)
        self._kept[key] = value

    def __len__(self) -> int:
        return len(self._kept)


@dataclass(frozen=True, slots=True)
class AuthState:
    """One a worker.

    `remembered` holds callers by their whole token, until when that is good, and whether
    the token has expired then (if not, it is looked up again).
    """

    settings: AuthSettings
    access: AccessTokens
    passwords: PasswordHashing
    remembered: Memory[tuple[Principal, datetime, bool]] = field(default_factory=Memory)


def make_state(settings: Settings) -> AuthState:
    """Load the keys and start the threads."""
    ours = settings.of(AuthSettings)
    access = AccessTokens(load_keys(settings), ours.jwt_issuer, ours.jwt_audience, ours.access_token_seconds)
    return AuthState(ours, access, PasswordHashing(ours))


def state_of(resources: Resources) -> AuthState:
    """The state of this worker."""
    state: AuthState = resources.state[NAME]
    return state
