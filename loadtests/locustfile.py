"""What locust runs: the users of one scenario, which LOADTEST_SCENARIO names.

`python -m loadtests` runs it; by hand, with accounts that `python -m loadtests --prepare` has written:
`LOADTEST_SCENARIO=listing locust -f loadtests/locustfile.py --host https://api.example.com`.
"""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))  # the program `locust` does not look there

from locust import events
from locust.runners import WorkerRunner

from loadtests.figures import figures_of
from loadtests.scenarios import SCENARIOS
from loadtests.scenarios.base import ledger, world

_scenario = os.environ.get("LOADTEST_SCENARIO") or "day"
if _scenario not in SCENARIOS:
    raise SystemExit(f"LOADTEST_SCENARIO is {_scenario}; there are: {', '.join(SCENARIOS)}")
for _user, _weight in SCENARIOS[_scenario].items():
    _user.weight = _weight
    globals()[_user.__name__] = _user  # locust takes the users that it finds here
del _user


@events.test_start.add_listener
def begin(environment: Any, **_: Any) -> None:
    """Note when the day began."""
    world.began = time.monotonic()


@events.report_to_master.add_listener
def report(client_id: str, data: dict[str, Any], **_: Any) -> None:
    """Send the master what was acknowledged."""
    data["ledger"] = ledger.report()


@events.worker_report.add_listener
def receive(client_id: str, data: dict[str, Any], **_: Any) -> None:
    """Add what a worker sent."""
    ledger.add(data["ledger"])


@events.quitting.add_listener
def write(environment: Any, **_: Any) -> None:
    """Write the figures where the caller wants them."""
    path = os.environ.get("LOADTEST_FIGURES")
    if path and not isinstance(environment.runner, WorkerRunner):
        Path(path).write_bytes(figures_of(environment, ledger))
