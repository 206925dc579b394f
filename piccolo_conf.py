"""Piccolo's configuration: the engine, and the apps that the plugins bring.

`piccolo migrations new auth --auto` finds this module by its name. The engine connects only when it is used.
"""

from typing import TYPE_CHECKING, Any

from core.database import Engine
from core.settings import load_settings

if TYPE_CHECKING:
    from piccolo.conf.apps import AppRegistry

    APP_REGISTRY: AppRegistry

_url = load_settings(check_unknown=False).database_url

DB = Engine(config={"dsn": _url.get_secret_value()} if _url else {})


def __getattr__(name: str) -> Any:
    """Make APP_REGISTRY when Piccolo's commands ask for it: a worker does not, and its module takes half a second."""
    if name != "APP_REGISTRY":
        raise AttributeError(name)
    from piccolo.conf.apps import AppRegistry  # noqa: PLC0415

    from core.migrations import app_modules  # noqa: PLC0415

    return AppRegistry(apps=app_modules())
