"""Reading WAV files: every form of header that real ones have, and what no file may do."""

from __future__ import annotations

import struct
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from plugins.calls.errors import BrokenWav, NotAWav
from plugins.calls.service.wav import MOST_HEADER, SUBFORMAT, Wav, WavReader

UNKNOWN = 0xFFFFFFFF


def chunk(name: bytes, body: bytes, size: int | None = None) -> bytes:
    return name + struct.pack("<I", len(body) if size is None else size) + body + b"\0" * (len(body) % 2)


def fmt(tag: int = 1, channels: int = 1, rate: int = 8000, bits: int = 16, **other: Any) -> bytes:
    block = other.get("block", channels * ((bits + 7) // 8))
    byte_rate = other.get("byte_rate", rate * block)
    fields = struct.pack("<HHIIHH", tag, channels, rate, byte_rate, block, bits)
    return chunk(b"fmt ", fields + other.get("extra", b""))


def riff(*chunks: bytes, magic: bytes = b"RIFF", size: int | None = None) -> bytes:
    body = b"WAVE" + b"".join(chunks)
    return magic + struct.pack("<I", len(body) if size is None else size) + body


def read(file: bytes, step: int = 0) -> Wav:
    reader = WavReader()
    for at in range(0, len(file), step or len(file) or 1):
        reader.feed(file[at : at + (step or len(file))])
    return reader.finish()


def summary(wav: Wav) -> tuple[str, int, int, int, int]:
    form = wav.format
    return form.codec, form.channels, form.sample_rate, form.bits_per_sample, wav.duration_ms


SECOND = bytes(16_000)
EXTENSIBLE = struct.pack("<HHI", 22, 24, 4)
EXTENDED_PCM, EXTENDED_MULAW = (EXTENSIBLE + codec + SUBFORMAT for codec in (b"\1\0", b"\7\0"))


@pytest.mark.parametrize(
    ("header", "data", "expected"),
    [
        (fmt(), SECOND, ("pcm", 1, 8000, 16, 1000)),
        (fmt(bits=8, rate=11025), bytes(11025), ("pcm", 1, 11025, 8, 1000)),
        (fmt(channels=2, rate=44100, bits=24), bytes(44100 * 6), ("pcm", 2, 44100, 24, 1000)),
        (fmt(3, 2, 48000, 32), bytes(48000 * 8), ("float", 2, 48000, 32, 1000)),
        (fmt(3, 1, 16000, 64), bytes(16000 * 8), ("float", 1, 16000, 64, 1000)),
        (fmt(6, 1, 8000, 8, extra=b"\0\0"), bytes(8000), ("alaw", 1, 8000, 8, 1000)),
        (fmt(7, 2, 8000, 8), bytes(16000), ("mulaw", 2, 8000, 8, 1000)),
        (fmt(0xFFFE, 8, 16000, 24, extra=EXTENDED_PCM), bytes(16000 * 24), ("pcm", 8, 16000, 24, 1000)),
        (fmt(0xFFFE, 1, 8000, 8, extra=EXTENDED_MULAW), bytes(8000), ("mulaw", 1, 8000, 8, 1000)),
        (fmt(byte_rate=1), SECOND, ("pcm", 1, 8000, 16, 1000)),
    ],
)
def test_every_codec_is_read_whatever_the_pieces(
    header: bytes, data: bytes, expected: tuple[str, int, int, int, int]
) -> None:
    file = riff(header, chunk(b"data", data))
    assert summary(read(file)) == expected
    assert summary(read(file[:200], 1)) == summary(read(file[:200]))
    assert summary(read(file, 4999)) == expected


def test_chunks_may_stand_before_the_data_in_any_order_and_odd_ones_are_padded() -> None:
    odd = chunk(b"LIST", b"INFOodd") + chunk(b"junk", b"\1" * 999) + chunk(b"bext", bytes(602))
    for file in (
        riff(odd, fmt(), chunk(b"fact", bytes(4)), chunk(b"data", SECOND)),
        riff(fmt(), odd, chunk(b"data", SECOND)),
    ):
        assert summary(read(file)) == summary(read(file, 7)) == ("pcm", 1, 8000, 16, 1000)  # fmt: skip


@pytest.mark.parametrize("size", [0, UNKNOWN, UNKNOWN - 1, 0x7FFFFFFF, 20_000, 10, 15_998])
@pytest.mark.parametrize("step", [0, 1009])
def test_a_wrong_length_of_the_data_gives_way_to_the_bytes_that_are_there(size: int, step: int) -> None:
    file = riff(fmt(), chunk(b"data", SECOND, size), size=UNKNOWN)
    assert read(file, step).data_bytes == 16_000


@pytest.mark.parametrize("step", [0, 1, 3, 44, 45])
def test_chunks_after_the_data_are_not_taken_for_audio(step: int) -> None:
    tail = chunk(b"LIST", b"INFOISFT\x04\0\0\0test") + chunk(b"id3 ", b"odd")
    assert read(riff(fmt(), chunk(b"data", bytes(160)), tail), step).data_bytes == 160
    assert read(riff(fmt(), chunk(b"data", bytes(160)), tail[:-1]), step).data_bytes == 160  # its pad is missing
    assert read(riff(fmt(bits=8), chunk(b"data", bytes(161)), tail), step).data_bytes == 161


def test_a_thousand_chunks_after_the_data_are_not_followed() -> None:
    assert read(riff(fmt(), chunk(b"data", bytes(16)), chunk(b"junk", b"") * 1000)).data_bytes == 16 + 8000


@pytest.mark.parametrize("magic", [b"RF64", b"BW64"])
def test_the_long_forms_are_read(magic: bytes) -> None:
    ds64 = chunk(b"ds64", struct.pack("<QQQI", 0, 16_000, 8_000, 0))
    tail = chunk(b"LIST", b"INFO")
    file = riff(ds64, fmt(), chunk(b"data", SECOND, UNKNOWN), tail, magic=magic, size=UNKNOWN)
    assert read(file).data_bytes == 16_000
    assert read(file, 11).data_bytes == 16_000


@pytest.mark.parametrize(
    "file",
    [b"ID3\4" + bytes(100), b"RIFF\0\0\0\0AVI " + bytes(100), b"\0", b"<html>", b"RIFX" + bytes(50), b"OggS"],
)
def test_what_does_not_begin_as_a_wav_file_is_none(file: bytes) -> None:
    with pytest.raises(NotAWav):
        read(file)
    with pytest.raises(NotAWav):
        read(file, 1)


BROKEN = {
    "nothing": b"",
    "one byte": b"R",
    "no chunk": riff(),
    "no format": riff(chunk(b"data", SECOND)),
    "no data": riff(fmt()),
    "ends in the format": riff(fmt())[:30],
    "empty data": riff(fmt(), chunk(b"data", b"")),
    "empty data and more": riff(fmt(), chunk(b"data", b""), chunk(b"LIST", b"INFO")),
    "half a sample": riff(fmt(), chunk(b"data", b"\0")),
    "short format": riff(chunk(b"fmt ", bytes(14)), chunk(b"data", SECOND)),
    "no rate": riff(fmt(rate=0), chunk(b"data", SECOND)),
    "no byte rate": riff(fmt(byte_rate=0), chunk(b"data", SECOND)),
    "too high a rate": riff(fmt(rate=1_000_000), chunk(b"data", SECOND)),
    "no channel": riff(fmt(channels=0), chunk(b"data", SECOND)),
    "nine channels": riff(fmt(channels=9), chunk(b"data", SECOND)),
    "no bits": riff(fmt(bits=0), chunk(b"data", SECOND)),
    "33 bits": riff(fmt(bits=33), chunk(b"data", SECOND)),
    "16 bits of float": riff(fmt(3, bits=16), chunk(b"data", SECOND)),
    "wrong block": riff(fmt(block=3), chunk(b"data", SECOND)),
    "MP3 inside": riff(fmt(0x55), chunk(b"data", SECOND)),
    "extended without a sub-format": riff(fmt(0xFFFE), chunk(b"data", SECOND)),
    "unknown sub-format": riff(fmt(0xFFFE, extra=EXTENSIBLE + bytes(16)), chunk(b"data", SECOND)),
    "a header without end": riff(fmt(), chunk(b"junk", b"", MOST_HEADER)),
    "a header of many chunks": riff(fmt(), chunk(b"junk", b"") * (MOST_HEADER // 8), chunk(b"data", SECOND)),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_file_is_refused(name: str) -> None:
    with pytest.raises(BrokenWav):
        read(BROKEN[name])
    with pytest.raises(BrokenWav):
        read(BROKEN[name], 4096)


WHOLE = riff(fmt(1, 2), chunk(b"LIST", b"INFOabc"), chunk(b"data", bytes(64)), chunk(b"LIST", b"INFO"))


@settings(max_examples=400, deadline=None)
@given(
    changes=st.lists(st.tuples(st.integers(0, len(WHOLE) - 1), st.integers(0, 255)), max_size=6),
    cut=st.integers(0, len(WHOLE)),
    step=st.integers(1, len(WHOLE)),
)
def test_mutated_headers_are_read_or_refused_and_pieces_make_no_difference(
    changes: list[tuple[int, int]], cut: int, step: int
) -> None:
    file = bytearray(WHOLE)
    for at, value in changes:
        file[at] = value
    results = []
    for size in (0, step):
        try:
            wav = read(bytes(file[:cut]), size)
            assert 0 < wav.data_bytes <= cut
            results.append(summary(wav))
        except (NotAWav, BrokenWav) as error:
            results.append(("refused", 0, 0, 0, error.status))
    assert results[0] == results[1]
