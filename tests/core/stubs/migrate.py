"""A migration: as slow, and as successful, as the environment says; it notes that it ran."""

import os
import sys
import time
from pathlib import Path

time.sleep(float(os.environ.get("STUB_MIGRATE_SECONDS", "0")))
code = int(os.environ.get("STUB_MIGRATE_CODE", "0"))
if note := os.environ.get("STUB_MIGRATE_NOTE"):
    with Path(note).open("a") as file:
        file.write("migrated\n")
sys.stdout.write(f"the migration ends with {code}\n")
sys.exit(code)
