"""`make load`: starts a service of its own, runs locust on it without a screen, and fails on any error answer.

The generator takes about one core; on two cores the service has the other one.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

from loadtests.service import ROOT, post, service

REPORT = ROOT / "build" / "load.html"
WHO = {"email": "load@example.com", "password": "Correct-Horse-7", "first_name": "Load", "last_name": "Test"}


def main() -> int:
    """Run the load test; return locust's exit code, which is 1 if any request failed."""
    options = _options()
    REPORT.parent.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="voicera-load-") as folder, service(Path(folder) / "data", 2) as url:
        post(f"{url}/auth/register", WHO)
        command = [sys.executable, "-m", "locust", "-f", str(ROOT / "loadtests/locustfile.py"), "--headless"]
        command += ["--host", url, "--users", str(options.users), "--spawn-rate", str(options.users / 4)]
        command += ["--run-time", f"{options.seconds}s", "--html", str(REPORT), "--only-summary"]
        code = subprocess.run([*command, "--exit-code-on-error", "1"], check=False).returncode
    print(f"the report: {REPORT.relative_to(ROOT)}")
    return code


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--users", type=int, default=100, help="how many users at once")
    parser.add_argument("--seconds", type=int, default=60, help="how long")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
