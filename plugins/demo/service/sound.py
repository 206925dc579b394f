"""Short recordings: two voices that murmur in turn, as µ-law WAV files of 8,000 samples a second (RFC 3551, PCMU)."""

from __future__ import annotations

import math
import random
import struct
from functools import cache

RATE = 8_000
LONGEST = 3.0
VARIANTS = 8
BIAS, CLIP = 0x84, 32_635


@cache
def ulaw_table() -> bytes:
    """The µ-law byte (ITU-T G.711) of each 16-bit sample, by its upper 14 bits."""
    return bytes(_ulaw((number - 8_192) * 4) for number in range(16_384))


def _ulaw(sample: int) -> int:
    sign = 0x80 if sample < 0 else 0
    magnitude = min(abs(sample), CLIP) + BIAS
    exponent = magnitude.bit_length() - 8
    mantissa = magnitude >> (exponent + 3) & 0x0F
    return ~(sign | exponent << 4 | mantissa) & 0xFF


@cache
def murmur(variant: int) -> bytes:
    """Some seconds of speech-like sound: syllables of a few harmonics, with pauses, two voices in turn."""
    chance = random.Random(variant)  # noqa: S311  # it must repeat
    table, samples = ulaw_table(), bytearray()
    voices = (chance.uniform(95, 130), chance.uniform(170, 220))
    while len(samples) < LONGEST * RATE:
        pitch = voices[len(samples) // (RATE * 3 // 2) % 2] * chance.uniform(0.85, 1.15)
        formant, length = chance.uniform(400, 1_400), int(RATE * chance.uniform(0.09, 0.22))
        for at in range(length):
            time, swell = at / RATE, math.sin(math.pi * at / length)
            tone = math.sin(2 * math.pi * pitch * time) + 0.5 * math.sin(2 * math.pi * pitch * 2 * time)
            tone += 0.6 * math.sin(2 * math.pi * formant * time) * math.sin(2 * math.pi * pitch * time)
            sample = int(5_500 * swell * (tone + chance.uniform(-0.15, 0.15)))
            samples.append(table[(sample >> 2) + 8_192])
        samples += b"\xff" * int(RATE * chance.uniform(0.02, 0.12))
    return bytes(samples[: int(LONGEST * RATE)])


def recording(number: int) -> bytes:
    """A WAV file of two to three seconds; the same number gives the same file."""
    sound = murmur(number % VARIANTS)
    start = number * 997 % (len(sound) // 2)
    length = int(RATE * (2 + number % 11 / 10))
    samples = (sound[start:] + sound[:start])[:length]
    return wav(samples + b"\xff" * (len(samples) % 2))


def wav(samples: bytes) -> bytes:
    """Put a header before µ-law samples: a format chunk with its extension's size, and the fact chunk it asks for."""
    form = struct.pack("<HHIIHHH", 7, 1, RATE, RATE, 1, 8, 0)
    chunks = b"".join(
        name + struct.pack("<I", len(content)) + content
        for name, content in ((b"fmt ", form), (b"fact", struct.pack("<I", len(samples))), (b"data", samples))
    )
    return b"RIFF" + struct.pack("<I", 4 + len(chunks)) + b"WAVE" + chunks
