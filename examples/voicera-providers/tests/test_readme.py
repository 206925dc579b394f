"""What the README leaves out, nobody finds."""

from pathlib import Path

from conftest import payload

from voicera_providers import retell, vapi
from voicera_providers.routes import blueprint
from voicera_providers.settings import ProvidersSettings

README = (Path(__file__).parents[1] / "README.md").read_text()


def test_every_setting_and_route_is_in_the_readme() -> None:
    assert [name for name in ProvidersSettings.model_fields if f"VOICERA_{name.upper()}" not in README] == []
    paths = {route.path.replace("{connection_id}", "{id}") for route in blueprint.routes}
    assert [path for path in paths if path not in README] == []


def test_every_field_that_is_mapped_is_in_the_readme() -> None:
    for (log,) in (vapi.call_logs(payload("vapi/completed")), retell.call_logs(payload("retell/completed"))):
        assert [name for name in log if f"`{name}`" not in README] == []
