"""What the README leaves out, nobody finds."""

from __future__ import annotations

from pathlib import Path
from typing import get_args

from voicera_activity.routes import blueprint
from voicera_activity.schemas import Kind
from voicera_activity.settings import ActivitySettings

README = (Path(__file__).parents[1] / "README.md").read_text()


def test_every_setting_route_and_kind_is_in_the_readme() -> None:
    assert [name for name in ActivitySettings.model_fields if f"VOICERA_{name.upper()}" not in README] == []
    assert [route.path for route in blueprint.routes if f"GET {route.path}" not in README] == []
    assert [kind for kind in get_args(Kind) if f"`{kind}`" not in README] == []
