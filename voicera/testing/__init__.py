"""Tools for testing plugins and the service itself against real servers.

With pytest, the fixtures `voicera_app`, `user`, `make_calls`, `clock` and others are there by themselves, and
`check_plugin` gives the tests that every plugin must pass; `docs/testing-plugins.md` lists them. The names here are
what the fixtures are made of.
"""

from __future__ import annotations

from voicera.testing.calls import a_call, make_calls
from voicera.testing.clock import Clock, clock_of
from voicera.testing.conformance import check_plugin
from voicera.testing.http import PASSWORD, Answer, Client
from voicera.testing.log import Log, log_of
from voicera.testing.patience import patient
from voicera.testing.running import Applications, Running, running_app, statements_of
from voicera.testing.servers import dropped, fresh_database, running_stack, settings_for_tests, shared_stack
from voicera.testing.waiting import eventually

__all__ = [
    "PASSWORD",
    "Answer",
    "Applications",
    "Client",
    "Clock",
    "Log",
    "Running",
    "a_call",
    "check_plugin",
    "clock_of",
    "dropped",
    "eventually",
    "fresh_database",
    "log_of",
    "make_calls",
    "patient",
    "running_app",
    "running_stack",
    "settings_for_tests",
    "shared_stack",
    "statements_of",
]
