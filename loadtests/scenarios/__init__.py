"""The scenarios: which users there are, and how many of each."""

from __future__ import annotations

from loadtests.scenarios.base import Actor
from loadtests.scenarios.dashboards import Dashboard, Wallboard
from loadtests.scenarios.management import Manager
from loadtests.scenarios.readers import Reader, Walker
from loadtests.scenarios.voice_servers import VoiceServer

SCENARIOS: dict[str, dict[type[Actor], int]] = {
    "analytics": {Dashboard: 80, Wallboard: 20},
    "ingestion": {VoiceServer: 1},
    "listing": {Reader: 85, Walker: 15},
    "day": {Dashboard: 44, Wallboard: 6, VoiceServer: 22, Reader: 20, Walker: 3, Manager: 5},
}
