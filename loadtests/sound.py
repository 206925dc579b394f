"""A recording: made up, small and right."""

from __future__ import annotations

import io
import math
import struct
import wave
from functools import cache

RATE, SECONDS, HERTZ = 8000, 2, 440


@cache
def wav() -> bytes:
    """A tone of a few seconds: PCM of 16 bits, one channel."""
    samples = (int(9000 * math.sin(2 * math.pi * HERTZ * place / RATE)) for place in range(RATE * SECONDS))
    file = io.BytesIO()
    with wave.open(file, "wb") as writer:
        writer.setnchannels(1)
        writer.setsampwidth(2)
        writer.setframerate(RATE)
        writer.writeframes(struct.pack(f"<{RATE * SECONDS}h", *samples))
    return file.getvalue()
