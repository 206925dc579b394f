"""The migration that `voicera serve` runs before its workers: `python -m core.migrator`.

It does what `voicera migrate` does, and says it as the workers do: in log lines.
"""

from __future__ import annotations

import asyncio
import logging
import sys

from core.app import discover
from core.commands import DatabaseAway, refusals_of_database
from core.logging import setup_logging
from core.migrations import migrate
from core.plugins import PluginError
from core.settings import ConfigurationError, load_settings

log = logging.getLogger("voicera.migrations")


def main() -> int:
    """Bring the database up to date; return the exit code."""
    try:
        early = load_settings(check_unknown=False)
    except ConfigurationError as error:
        sys.stderr.write(f"voicera: {error}\n")
        return error.exit_code
    writer = setup_logging(early.log_level, early.log_format)
    try:
        return _migrate()
    finally:
        writer.close()


def _migrate() -> int:
    try:
        settings, plugins = discover()
        with refusals_of_database():
            ran = asyncio.run(migrate(settings, plugins))
    except (ConfigurationError, PluginError) as error:
        log.error("%s", error)  # noqa: TRY400 - the message is for people, a trace would bury it
        return ConfigurationError.exit_code
    except DatabaseAway as error:
        log.error("%s", error)  # noqa: TRY400
        return 1
    except Exception:
        log.exception("the migration failed")
        return 1
    for name in ran:
        log.info("migrated %s", name)
    return 0


if __name__ == "__main__":
    sys.exit(main())
