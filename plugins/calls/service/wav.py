"""WAV files, read as they arrive: RIFF/WAVE (Microsoft and IBM, 1991), RF64 and BW64 (EBU Tech 3306, ITU-R BS.2088).

Only the header is kept. What a header says about the length of its data is often wrong, since who writes to a
stream does not know it yet: then the bytes that are really there count.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

from plugins.calls.errors import BrokenWav, NotAWav

MAGIC = (b"RIFF", b"RF64", b"BW64")
MOST_HEADER = 1 << 20
MOST_TAIL_CHUNKS = 64
MOST_CHANNELS = 8
MOST_RATE = 768_000  # samples a second
UNKNOWN = 0xFFFFFFFF
EXTENSIBLE = 0xFFFE
# A sub-format is a codec's number in front of this (KSDATAFORMAT_SUBTYPE_…).
SUBFORMAT = bytes.fromhex("000000001000800000aa00389b71")
CODECS = {1: "pcm", 3: "float", 6: "alaw", 7: "mulaw"}
BITS = {"pcm": range(1, 33), "float": (32, 64), "alaw": (8,), "mulaw": (8,)}


@dataclass(frozen=True, slots=True)
class Format:
    """How the samples are written."""

    codec: str
    channels: int
    sample_rate: int
    bits_per_sample: int
    block: int  # bytes of one sample of all channels


@dataclass(frozen=True, slots=True)
class Wav:
    """What is known of a file once all of it has been seen."""

    format: Format
    data_bytes: int

    @property
    def duration_ms(self) -> int:
        """How long it plays, in milliseconds."""
        rate = self.format.sample_rate * self.format.block
        return (self.data_bytes * 1000 + rate // 2) // rate


class WavReader:
    """Takes a file in pieces of any size, and keeps what it needs of them."""

    def __init__(self) -> None:
        self._head = bytearray()
        self._at = 0  # where the next chunk of the header begins
        self._format: Format | None = None
        self._long_data: int | None = None  # what the ds64 chunk of RF64 says
        self._size = 0
        self._tail: _Tail | None = None  # once the header has been read

    def feed(self, piece: bytes) -> None:
        """Take the next bytes; raises NotAWav or BrokenWav as soon as they say so."""
        start = self._size
        self._size += len(piece)
        if self._tail is not None:
            self._tail.feed(piece, start)
            return
        self._head += piece
        begins = self._read_header()
        if begins is not None:
            tail = self._tail = self._data_at(begins)
            tail.feed(bytes(self._head[begins:]), begins)
            self._head.clear()

    def finish(self) -> Wav:
        """Say what the file is, now that it has ended; raises BrokenWav where it ended too early."""
        if self._tail is None or self._format is None:
            raise BrokenWav("the file ends before its audio data begins")
        length = self._tail.data_length(self._size)
        if length < self._format.block:
            raise BrokenWav("the file has no audio data")
        return Wav(self._format, length)

    def _read_header(self) -> int | None:
        """Go on through the chunks; return where the data begins, None as long as that has not been seen."""
        head = self._head
        if not self._at:
            riff, wave = bytes(head[:4]), bytes(head[8:12])
            if not any(magic.startswith(riff) for magic in MAGIC) or not b"WAVE".startswith(wave):
                raise NotAWav("the file does not begin as a WAV file does")
            if len(head) < 12:
                return None
            self._at = 12
        while len(head) >= self._at + 8:
            name, size = struct.unpack_from("<4sI", head, self._at)
            if name == b"data":
                return self._at + 8
            begins, wanted = self._at + 8, self._at + 8 + min(size, 40)
            if begins + size > MOST_HEADER:
                raise BrokenWav(f"the file has no audio data in its first {MOST_HEADER} bytes")
            if len(head) < wanted:
                return None
            if name == b"fmt ":
                self._format = read_format(bytes(head[begins:wanted]))
            elif name == b"ds64" and size >= 16:
                self._long_data = struct.unpack_from("<Q", head, begins + 8)[0]
            self._at = begins + size + size % 2
        return None

    def _data_at(self, begins: int) -> _Tail:
        if self._format is None:
            raise BrokenWav("the audio data comes before its format")
        size: int = struct.unpack_from("<I", self._head, begins - 4)[0]
        long = self._long_data if size == UNKNOWN and self._head[:4] != b"RIFF" else None
        return _Tail(begins, size if long is None else long)


class _Tail:
    """Looks at what follows the announced data: chunks up to the very end say that the announced length is right."""

    def __init__(self, begins: int, announced: int) -> None:
        self._begins = begins
        self._announced = announced
        self._next = begins + announced + announced % 2  # where a chunk should begin
        self._header = bytearray()
        self._chunks = 0
        self._chaos = False

    def feed(self, piece: bytes, start: int) -> None:
        """Take bytes that begin at `start` of the file."""
        while not self._chaos:
            wanted = self._next + len(self._header) - start
            if wanted >= len(piece):
                return
            self._header += piece[wanted : wanted + 8 - len(self._header)]
            if len(self._header) < 8:
                return
            name, size = struct.unpack("<4sI", self._header)
            self._header.clear()
            self._chunks += 1
            self._chaos = self._chunks > MOST_TAIL_CHUNKS or not all(0x20 <= sign < 0x7F for sign in name)
            self._next += 8 + size + size % 2

    def data_length(self, size: int) -> int:
        """How many bytes of a file of this size are audio."""
        ends = self._begins + self._announced
        # A pad byte is often forgotten at the end.
        whole = not self._chaos and not self._header and self._next - size in (0, 1)
        return self._announced if whole and ends <= size else size - self._begins


def read_format(chunk: bytes) -> Format:
    """Read a `fmt ` chunk (its first 40 bytes will do); raises BrokenWav where no player could use it."""
    if len(chunk) < 16:
        raise BrokenWav("the format chunk is too short")
    tag, channels, rate, byte_rate, block, bits = struct.unpack_from("<HHIIHH", chunk)
    if tag == EXTENSIBLE:
        tag = _subformat(chunk)
    codec = CODECS.get(tag)
    if codec is None:
        raise BrokenWav(f"the codec 0x{tag:04x} is not among those supported: {', '.join(CODECS.values())}")
    if not 1 <= channels <= MOST_CHANNELS:
        raise BrokenWav(f"the file has {channels} channels; from 1 to {MOST_CHANNELS} are supported")
    if not 1 <= rate <= MOST_RATE or not byte_rate:
        raise BrokenWav(f"the sample rate must lie between 1 and {MOST_RATE}, and the byte rate must not be 0")
    if bits not in BITS[codec] or block != channels * ((bits + 7) // 8):
        raise BrokenWav("the size of a sample does not fit the codec and the channels")
    return Format(codec, channels, rate, bits, block)


def _subformat(chunk: bytes) -> int:
    if len(chunk) < 40 or chunk[26:40] != SUBFORMAT:
        raise BrokenWav("the extended format names no known codec")
    return int.from_bytes(chunk[24:26], "little")
