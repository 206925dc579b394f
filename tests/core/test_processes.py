"""What the supervisor's processes are given."""

from __future__ import annotations

import resource
import subprocess
import sys

SCRIPT = """
import resource, subprocess, sys
resource.setrlimit(resource.RLIMIT_NOFILE, (256, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
from core.processes import raise_file_limit
raise_file_limit()
child = "import resource; print(resource.getrlimit(resource.RLIMIT_NOFILE)[0])"
print(subprocess.run([sys.executable, "-c", child], capture_output=True, text=True).stdout)
"""


def test_children_may_open_as_many_files_as_the_system_allows() -> None:
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    allowed = 65_536 if hard == resource.RLIM_INFINITY else min(hard, 65_536)
    done = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=True)
    assert int(done.stdout) == allowed
