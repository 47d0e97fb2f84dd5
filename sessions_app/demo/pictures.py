"""Draws the pictures of the demo sessions: bar charts as PNG."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Sequence

WIDTH, HEIGHT = 480, 200  # pixels
GROUND, GRID = (250, 250, 252), (226, 228, 236)


def bar_chart(values: Sequence[float], colour: tuple[int, int, int]) -> bytes:
    """A PNG with one bar a value, the highest filling the picture."""
    pixels = [[GRID if y % 40 == 0 else GROUND] * WIDTH for y in range(HEIGHT)]
    step = (WIDTH - 20) // len(values)
    for index, value in enumerate(values):
        top = HEIGHT - 10 - round((HEIGHT - 20) * value / max(values))
        for y in range(top, HEIGHT - 10):
            pixels[y][14 + index * step : 8 + (index + 1) * step] = [colour] * (step - 6)
    return _png(pixels)


def _png(pixels: list[list[tuple[int, int, int]]]) -> bytes:
    rows = b"".join(b"\0" + bytes(value for pixel in row for value in pixel) for row in pixels)
    header = struct.pack(">IIBBBBB", len(pixels[0]), len(pixels), 8, 2, 0, 0, 0)
    chunks = (b"IHDR", header), (b"IDAT", zlib.compress(rows, 9)), (b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(name, data) for name, data in chunks)


def _chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
