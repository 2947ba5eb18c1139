"""Bitmaps of changed blocks."""

import base64
from typing import List, Tuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cephhci.bitmap import BLOCK, encode, merged

EXTENTS = st.lists(st.tuples(st.integers(0, 70 * BLOCK), st.integers(0, 9 * BLOCK)), max_size=12)


def changed(size: int, extents: List[Tuple[int, int]]) -> List[bool]:
    """One flag per block, counted the slow way."""
    blocks = (size + BLOCK - 1) // BLOCK
    touched = [False] * blocks
    for offset, length in extents:
        for block in range(offset // BLOCK, (offset + length + BLOCK - 1) // BLOCK if length else 0):
            if block < blocks:
                touched[block] = True
    return touched


def bits(text: str, blocks: int) -> List[bool]:
    raw = base64.b64decode(text)
    return [bool(raw[block // 8] & (0x80 >> (block % 8))) for block in range(blocks)]


def test_the_example_of_the_contract() -> None:
    extents = [(0, 1), (7 << 20, 1 << 20)]
    assert encode(8 << 20, extents) == "gAAAAAAAAAAAAAAAAAD//w=="


@given(st.integers(1, 64), EXTENTS)
def test_bits_are_exact(blocks: int, extents: List[Tuple[int, int]]) -> None:
    assert bits(encode(blocks * BLOCK, extents), blocks) == changed(blocks * BLOCK, extents)


@given(EXTENTS)
def test_merging_keeps_the_bytes(extents: List[Tuple[int, int]]) -> None:
    joined = merged(extents)
    assert changed(100 * BLOCK, joined) == changed(100 * BLOCK, extents)
    assert all(sum(left) < right[0] for left, right in zip(joined, joined[1:]))


@pytest.mark.parametrize("size", [4 << 20, 12 << 20, 2 << 40])
def test_lengths_suit_words_of_32_bits(size: int) -> None:
    raw = base64.b64decode(encode(size, [(0, size)]))
    assert len(raw) % 4 == 0 and len(raw) * 8 == size // BLOCK
    assert set(raw) == {0xFF}
