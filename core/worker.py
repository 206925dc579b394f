"""One serving process: `python -m core.worker --socket-fd N`, started and watched by the supervisor.

It says `R` on its beat descriptor when it serves, then a dot every half second from its event loop; where it cannot
start, `!` and why: so the supervisor tells people once what all its workers find. It stops gracefully on SIGTERM or
when its life descriptor ends, which means that the supervisor is gone.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import gc
import os
import signal
import socket
import sys

import uvloop
from sanic import Sanic

from core.app import GuardedProtocol, assemble, build_app, discover
from core.http.blueprint import RouteError
from core.logging import setup_logging
from core.migrations import leave_out_unmigrated
from core.plugins import PluginError
from core.protocol import AnyApp
from core.settings import ConfigurationError, load_settings
from core.workerpool import MOST_REFUSAL, REFUSED

BEAT_SECONDS = 0.5
BACKLOG = 4096  # Sanic listens again, and its default of 100 makes a burst of clients wait for a second


def main(arguments: list[str] | None = None) -> int:
    """Serve until told to stop; return the exit code."""
    options = _options(arguments)
    asyncio.set_event_loop_policy(uvloop.EventLoopPolicy())
    try:
        early = load_settings(check_unknown=False)
    except ConfigurationError as error:
        return _refused(error, options.beat_fd)
    log = setup_logging(early.log_level, early.log_format)
    try:
        settings, plugins = discover()
        if settings.database_url is not None:
            asyncio.run(leave_out_unmigrated(settings, plugins))
        assembly = assemble(settings, plugins)
    except (ConfigurationError, PluginError, RouteError) as error:
        log.close()
        return _refused(error, options.beat_fd)
    app = build_app(assembly, log=log)
    _collect_rarely()
    _beat(app, options.beat_fd, options.life_fd)
    app.prepare(
        sock=socket.socket(fileno=options.socket_fd),
        single_process=True,
        protocol=GuardedProtocol,
        access_log=False,
        backlog=BACKLOG,
    )
    try:
        Sanic.serve_single(primary=app)
    except (ConfigurationError, PluginError) as error:  # found out when the resources were opened
        return _refused(error, options.beat_fd)
    finally:
        log.close()
    return 0


def _collect_rarely() -> None:
    """Let the garbage collector pass over what was made at the start, and look less often at the rest.

    A batch of a thousand calls makes a hundred thousand objects without a cycle among them. With the collector's own
    thresholds looking through them, again and again, took 40 % of the worker's time.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 100)


def _refused(error: Exception, beat_fd: int) -> int:
    if beat_fd >= 0:
        with contextlib.suppress(OSError):  # the supervisor is gone
            os.write(beat_fd, REFUSED + str(error).encode(errors="replace")[:MOST_REFUSAL])
    else:
        sys.stderr.write(f"voicera: {error}\n")
    return ConfigurationError.exit_code


def _options(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--socket-fd", type=int, required=True, help="the listening socket")
    parser.add_argument("--beat-fd", type=int, default=-1, help="where to write heartbeats")
    parser.add_argument("--life-fd", type=int, default=-1, help="ends when the supervisor does")
    return parser.parse_args(arguments)


def _beat(app: AnyApp, beat_fd: int, life_fd: int) -> None:
    @app.after_server_start
    async def start(app: AnyApp) -> None:
        loop = asyncio.get_running_loop()
        if life_fd >= 0:
            loop.add_reader(life_fd, _stop_once, loop, life_fd)
        if beat_fd >= 0:
            os.set_blocking(beat_fd, False)
            os.write(beat_fd, b"R")
            app.ctx.beat = asyncio.create_task(_keep_beating(beat_fd), name="heartbeat")

    @app.after_server_stop
    async def stop(app: AnyApp) -> None:
        if beat_fd >= 0:
            app.ctx.beat.cancel()


async def _keep_beating(beat_fd: int) -> None:
    while True:
        await asyncio.sleep(BEAT_SECONDS)
        with contextlib.suppress(OSError):  # the pipe is full or gone: the supervisor's affair
            os.write(beat_fd, b".")


def _stop_once(loop: asyncio.AbstractEventLoop, life_fd: int) -> None:
    loop.remove_reader(life_fd)
    os.kill(os.getpid(), signal.SIGTERM)


if __name__ == "__main__":
    sys.exit(main())
