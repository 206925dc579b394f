"""The rule about what happens when a plugin is merely imported."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator

from voicera.testing.conformance.rules import rule
from voicera.testing.conformance.subject import Subject

SECONDS = 60
# What `voicera` imports comes first and is not looked at. The first event that is none of an import's ends it.
SCRIPT = """
import importlib, os, sys, threading
import voicera
WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
DOING = ("socket.connect", "socket.bind", "socket.getaddrinfo", "subprocess.Popen", "os.fork", "os.exec", "os.system",
    "os.mkdir", "os.remove", "os.rename", "os.rmdir", "shutil.rmtree")
def audit(event, arguments):
    if event in DOING or (event == "open" and arguments[2] & WRITING and arguments[0] != os.devnull):
        print(event, arguments[0] if event == "open" else "", file=sys.stderr, flush=True)
        os._exit(3)
sys.addaudithook(audit)
importlib.import_module(sys.argv[1])
if threading.active_count() > 1:
    print("it started a thread", file=sys.stderr, flush=True)
    os._exit(3)
"""


@rule
async def importing_it_does_nothing(subject: Subject) -> AsyncIterator[str]:
    """Importing the module opens no connection, writes no file, starts no program and no thread.

    Why: every command imports all plugins, `voicera --help` among them, and so does every worker that is replaced.

    Way out: open what is to stay open in `lifespan(resources)`, and do the rest where it is asked for.
    """
    if subject.module.__spec__ is None:
        yield f"{subject.module.__name__} is not a module that can be imported"
        return
    environ = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path)), "PYTHONDONTWRITEBYTECODE": "1"}
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", SCRIPT, subject.module.__name__, env=environ, stdout=pipe, stderr=pipe
    )
    try:
        async with asyncio.timeout(SECONDS):
            _, said = await process.communicate()
    except TimeoutError:
        process.kill()
        await process.wait()
        yield f"the import has not ended after {SECONDS} seconds"
        return
    if process.returncode:
        yield said.decode(errors="replace").strip()[-500:]
