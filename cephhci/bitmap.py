"""Changed blocks as XAPI passes them on: one bit per 64 KiB, the most significant first; pure."""

import base64
from typing import Iterable, List, Tuple

BLOCK = 64 * 1024

Extent = Tuple[int, int]  # offset and length in bytes


def merged(extents: Iterable[Extent]) -> List[Extent]:
    """The same bytes in ascending extents that neither overlap nor touch."""
    joined: List[Extent] = []
    for offset, length in sorted(extents):
        if joined and offset <= sum(joined[-1]):
            start, before = joined[-1]
            joined[-1] = (start, max(before, offset + length - start))
        elif length > 0:
            joined.append((offset, length))
    return joined


def encode(size: int, extents: Iterable[Extent]) -> str:
    """The bitmap of a disk of ``size`` bytes in base64; a block that is touched at all counts as changed.

    Whole bytes are filled at once: a disk of 2 TiB has 32 million blocks.
    """
    blocks = (size + BLOCK - 1) // BLOCK
    bitmap = bytearray((blocks + 7) // 8)
    for offset, length in merged(extents):
        first = offset // BLOCK
        last = min(blocks, (offset + length + BLOCK - 1) // BLOCK)
        if first < last:
            _fill(bitmap, first, last)
    return base64.b64encode(bytes(bitmap)).decode("ascii")


def _fill(bitmap: bytearray, first: int, last: int) -> None:
    """Set the bits from ``first`` up to, but not including, ``last``."""
    head, tail = first // 8, (last - 1) // 8
    head_mask = 0xFF >> (first % 8)
    tail_mask = (0xFF << (7 - (last - 1) % 8)) & 0xFF
    if head == tail:
        bitmap[head] |= head_mask & tail_mask
        return
    bitmap[head] |= head_mask
    bitmap[head + 1 : tail] = b"\xff" * (tail - head - 1)
    bitmap[tail] |= tail_mask
