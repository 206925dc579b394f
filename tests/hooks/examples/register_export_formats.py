"""Exports transcripts as text for people: `voicera export calls --format transcripts -o calls.txt`."""

import json
from collections.abc import Sequence
from typing import IO

from plugins.calls.hookspecs import ExportFormat
from voicera import hookimpl


class Transcripts:
    def __init__(self, file: IO[bytes], rows: int) -> None:
        self.file = file

    def add(self, line: bytes) -> None:
        call = json.loads(line)
        text = f"# {call['created_at']} {call['phone_number']}\n\n{call['transcript'] or '(no transcript)'}\n\n"
        self.file.write(text.encode())

    def end(self) -> None:
        """Nothing stands behind the last one."""


@hookimpl
def register_export_formats() -> Sequence[ExportFormat]:
    description = "transcripts as text"
    return [ExportFormat(name="transcripts", suffixes=(".txt",), description=description, open=Transcripts)]
