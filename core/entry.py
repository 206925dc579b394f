"""Where the program `voicera` begins: small, so that a signal during the imports that follow ends `serve` in order."""

from __future__ import annotations

import sys

from core.signals import end_on_signal


def main() -> int:
    """Run the command line; return the exit code."""
    if sys.argv[1:2] == ["serve"]:
        end_on_signal()
    from core.cli import main as run  # noqa: PLC0415  # half a second, in which a signal may come

    return run()
