"""The applications in which the examples of the hooks run: one with almost all of them, and two for the rest.

The examples are the modules in `examples/`, one a hook, which docs/hooks.md shows.
"""

from __future__ import annotations

import importlib.util
import os
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import ModuleType
from typing import Any

import openapi_check
import pytest

from core import ratelimit
from core.settings import Settings, as_environment
from piccolo_conf import DB
from voicera.testing import Applications, Client, Running

EXAMPLES = Path(__file__).with_name("examples")
# They answer in place of a plugin that is disabled then, or need the cache to be away.
WITHOUT_AGENTS = ("known_agents", "require_agent", "agent_status")
WITHOUT_CAMPAIGNS = ("known_campaigns",)
WITHOUT_CACHE = ("authenticate", "session_ended")
APART = {*WITHOUT_AGENTS, *WITHOUT_CAMPAIGNS, "session_ended"}
MakeCampaign = Callable[..., Awaitable[dict[str, Any]]]


def example(hook: str) -> ModuleType:
    """The example of a hook, which is a plugin named `example_<hook>`."""
    name = f"example_{hook}"
    if name not in sys.modules:
        spec = importlib.util.spec_from_file_location(name, EXAMPLES / f"{hook}.py")
        assert spec is not None
        assert spec.loader is not None
        module = sys.modules[name] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
    return sys.modules[name]


@pytest.fixture(scope="session")
def named_example() -> Callable[[str], ModuleType]:
    """What gives the example of a hook."""
    return example


@pytest.fixture(scope="session")
def data_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The data directory of the applications; beside it lie the files that examples read."""
    folder = tmp_path_factory.mktemp("hooks")
    for hook, name in {"lifespan": "HOLIDAYS", "session_ended": "REVOKED"}.items():
        setattr(example(hook), name, folder / f"{name.lower()}.txt")
    example("lifespan").HOLIDAYS.write_text("2026-12-25\n2027-01-01\n")
    return folder / "data"


@pytest.fixture(scope="session")
async def applications(servers: Settings) -> AsyncIterator[Applications]:
    """The applications, each started when it is first asked for."""
    pool = DB.pool
    async with Applications(servers) as found:
        yield found
    DB.pool = pool


async def start(applications: Applications, data_dir: Path, hooks: tuple[str, ...], **environ: str) -> Running:
    environ = {f"VOICERA_{name.upper()}": value for name, value in environ.items()}
    found = await applications.get({"VOICERA_DATA_DIR": str(data_dir), **environ}, [example(hook) for hook in hooks])
    left_out = {info.name: info.error for info in found.app.ctx.plugins.infos() if info.status == "failed"}
    assert left_out == {}
    if found.client.on_answer is None:
        found.client.on_answer = openapi_check.Checker(found.app.ctx.openapi.document)
    return found


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Give Piccolo's one engine back to the application that had it.

    Meanwhile a cache that is slow, on a busy machine, is waited for: the examples that write there need it.
    """
    monkeypatch.setattr(ratelimit, "ANSWER_SECONDS", 30.0)
    pool = DB.pool
    yield
    DB.pool = pool


@pytest.fixture
async def app(engine: None, applications: Applications, data_dir: Path) -> Running:
    """The application with all examples that do not get in each other's way."""
    hooks = tuple(sorted({path.stem for path in EXAMPLES.glob("*.py")} - APART))
    return await start(applications, data_dir, hooks, trusted_proxies="127.0.0.1", office_opens="10")


@pytest.fixture
async def without_agents(engine: None, applications: Applications, data_dir: Path) -> Running:
    """The application without the plugin `agents`, and with examples in its place."""
    return await start(applications, data_dir, WITHOUT_AGENTS, plugins_disabled="agents")


@pytest.fixture
async def without_cache(engine: None, applications: Applications, data_dir: Path) -> Running:
    """The application without the plugin `campaigns`, while the cache is away."""
    hooks = (*WITHOUT_CACHE, *WITHOUT_CAMPAIGNS)
    environ = {"plugins_disabled": "campaigns", "redis_url": "redis://127.0.0.1:1", "trusted_proxies": "127.0.0.1"}
    return await start(applications, data_dir, hooks, **environ)


@pytest.fixture
async def user(app: Running) -> Client:
    """A new user."""
    return await app.client.new_user()


@pytest.fixture
async def neighbour(app: Running) -> Client:
    """Another one."""
    return await app.client.new_user()


@pytest.fixture
def make_campaign() -> MakeCampaign:
    """What makes a campaign that can be launched, unless `fields` say otherwise, and moves it by the actions given."""

    async def make(client: Client, *actions: str, **fields: Any) -> dict[str, Any]:
        if "agent_id" not in fields:
            fields["agent_id"] = (await client.post("/agents", {"name": f"Agent {datetime.now(UTC)}"})).data["id"]
        end = (datetime.now(UTC) + timedelta(days=30)).isoformat()
        wanted = {"name": "Spring", "phone_numbers": ["+1234567890"], "end_time": end, **fields}
        made = await client.post("/campaigns", wanted)
        assert made.status == 201, made.content
        for action in actions:
            moved = await client.post(f"/campaigns/{made.data['id']}/{action}")
            assert moved.status == 200, moved.content
        found: dict[str, Any] = made.data
        return found

    return make


@pytest.fixture
def installed(tmp_path: Path) -> Callable[..., dict[str, str]]:
    """What makes an environment for programs in which an example is installed as a package would be."""

    def install(hook: str, app: Running) -> dict[str, str]:
        site = tmp_path / "site"
        info = site / "voicera_example-1.dist-info"
        info.mkdir(parents=True)
        (info / "METADATA").write_text("Metadata-Version: 2.1\nName: voicera-example\nVersion: 1\n")
        (info / "entry_points.txt").write_text(f"[voicera.plugins]\nexample = example_{hook}\n")
        (site / f"example_{hook}.py").write_text((EXAMPLES / f"{hook}.py").read_text())
        clean = {name: value for name, value in os.environ.items() if not name.startswith("VOICERA_")}
        servers = as_environment(app.resources.settings)
        del servers["VOICERA_OFFICE_OPENS"]  # of another example, which is not installed
        return {
            **clean,
            **servers,
            "VOICERA_DATA_DIR": str(tmp_path / "data"),
            "PYTHONPATH": str(site),
            "COLUMNS": "200",
        }

    return install
