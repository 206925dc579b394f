"""`voicera serve` with the stubs beside this file for worker and migration; settings come as JSON."""

import logging
import sys

from core.signals import end_on_signal

end_on_signal()
sys.stderr.write("begun\n")
sys.stderr.flush()

import json  # noqa: E402 - what is imported here takes time, in which signals come
from pathlib import Path  # noqa: E402

from core import supervisor, workerpool  # noqa: E402
from core.settings import load_settings  # noqa: E402

logging.basicConfig(level=logging.INFO, format="%(message)s")
flags, options = json.loads(sys.argv[1]), json.loads(sys.argv[2])
for name, value in options.get("limits", {}).items():
    setattr(workerpool, name, value)
if watched := options.get("watched"):
    supervisor.project_folders = lambda: [Path(watched)]
    supervisor.plugin_places = list
stubs = Path(__file__).parent
real = options.get("real", False)
commands = supervisor.Commands(
    worker=[sys.executable, str(stubs / "worker.py")], migrate=[sys.executable, str(stubs / "migrate.py")]
)
settings = load_settings(flags=flags, environ={}, check_unknown=False)
chosen = supervisor.Commands() if real else commands
sys.exit(supervisor.serve(settings, reload=bool(watched), commands=chosen))
