"""Thirty kills during ingestion, of a worker and of PostgreSQL by turns: nothing acknowledged is lost or doubled."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest

pytestmark = pytest.mark.chaos
KILLS = 30


def _load(path: Path, name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    module = sys.modules[name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


crash = _load(Path(__file__).parents[1] / "plugins" / "calls" / "test_crash.py", "crash")


async def test_thirty_kills_during_ingestion(tmp_path: Path) -> None:
    async with crash.a_service_that_ingests(tmp_path, seed=30) as (it, ingestion):
        await crash.kills(it, ingestion, KILLS, seed=30, pause=(0.1, 1.5))
