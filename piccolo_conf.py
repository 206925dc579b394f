"""Piccolo's configuration: the engine, and the apps that the plugins bring.

`piccolo migrations new auth --auto` finds this module by its name. The engine connects only when it is used.
"""

from piccolo.conf.apps import AppRegistry

from core.database import Engine
from core.migrations import app_modules
from core.settings import load_settings

_url = load_settings(check_unknown=False).database_url

DB = Engine(config={"dsn": _url.get_secret_value()} if _url else {})
APP_REGISTRY = AppRegistry(apps=app_modules())
