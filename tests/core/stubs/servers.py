"""Start the bundled servers in a data directory, say where they are, and stop them when the input ends."""

import json
import sys
import time

from core.embedded import EmbeddedStack
from core.settings import ConfigurationError, load_settings, plain

settings = load_settings(flags={"data_dir": sys.argv[1], **json.loads(sys.argv[2])}, environ={}, check_unknown=False)
try:
    stack = EmbeddedStack(settings)
except ConfigurationError as error:
    sys.exit(f"refused: {error}")
try:
    while not stack.ready():
        stack.step()
        time.sleep(0.01)
    found = stack.settings()
    sys.stdout.write(json.dumps({name: plain(getattr(found, name)) for name in ("database_url", "redis_url")}) + "\n")
    sys.stdout.flush()
    sys.stdin.read()
except ConfigurationError as error:
    sys.exit(f"refused: {error}")
finally:
    for _ in stack.stop(lambda: False):
        time.sleep(0.01)
    stack.close()
