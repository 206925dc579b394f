"""Plugins out there keep working: hooks and what they carry only grow."""

from __future__ import annotations

import importlib.util
import inspect
from pathlib import Path
from types import ModuleType

import core
import voicera


def _load(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


ROOT = Path(__file__).parents[2]
signatures = _load(Path(__file__).with_name("hook_signatures.py"))


def test_hooks_and_events_only_grow() -> None:
    """Deprecate it instead (docs/compatibility.md); a removal needs a new major API_VERSION."""
    assert signatures.lost(signatures.stored(), signatures.current()) == []


def test_what_is_new_has_been_noted() -> None:
    """Only what is noted is guarded."""
    assert signatures.stored() == signatures.current(), (
        "run `.venv/bin/python -P tests/project/hook_signatures.py`, and raise the second number of API_VERSION"
    )


def test_whatever_is_taken_away_is_told() -> None:
    hook = {"arguments": ["resources", "batch"], "async": True}
    before = {"a.hook": hook, "a.Event": {"fields": ["owner_id", "calls"]}}
    assert signatures.lost(before, before) == []
    assert signatures.lost(before, {**before, "a.new": hook}) == []
    assert signatures.lost(before, {**before, "a.hook": {**hook, "arguments": ["more", "resources", "batch"]}}) == []
    assert signatures.lost(before, {"a.hook": hook}) == ["a.Event is gone"]
    assert signatures.lost(before, {**before, "a.hook": {**hook, "arguments": ["resources", "calls"]}}) == [
        "a.hook has lost batch"
    ]
    assert signatures.lost(before, {**before, "a.hook": {**hook, "async": False}}) == [
        "a.hook is async no longer, or has become so"
    ]
    assert signatures.lost(before, {**before, "a.Event": {"fields": ["calls"]}}) == ["a.Event has lost owner_id"]


def test_every_module_is_read(tmp_path: Path) -> None:
    noted = signatures.current()
    assert noted["core.open_storage"] == {"arguments": ["settings"], "async": False}
    assert noted["calls.calls_recorded"] == {"arguments": ["resources", "batch"], "async": True}
    assert {"owner_id", "calls"} <= {*noted["calls.CallsRecorded"]["fields"]}


def test_the_version_is_a_plugin_authors_to_read() -> None:
    assert voicera.API_VERSION == core.API_VERSION
    assert voicera.API_VERSION in (ROOT / "docs" / "compatibility.md").read_text()
    assert inspect.getdoc(voicera.Storage)
