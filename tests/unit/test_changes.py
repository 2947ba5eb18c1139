"""Changed blocks are never named too few, and exactly where it costs little."""

import base64
from contextlib import contextmanager
from typing import Any, Iterator, List, Tuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from world import SR, NoWait, World, new_disk

from cephhci import errors
from cephhci.bitmap import BLOCK
from cephhci.layout import GRAIN
from cephhci.storage import changes
from cephhci.storage.index import Index


@contextmanager
def unpaused() -> Iterator[None]:
    yield


def started() -> Tuple[World, Index]:
    world = World()
    world.process().create(new_disk("a", size=8 * GRAIN))
    index = Index(world.pool, SR, NoWait())
    changes.track(index, "a", tracked=True)
    return world, index


def blocks(world: World, index: Index, since: str, until: str) -> List[int]:
    raw = base64.b64decode(changes.bitmap(world.pool, index, since, until))
    return [number for number in range(len(raw) * 8) if raw[number // 8] & (0x80 >> (number % 8))]


def snapshot(world: World, name: str) -> None:
    world.process().snapshot("a", name, "", unpaused)


def test_between_snapshots_and_to_the_disk() -> None:
    world, index = started()
    snapshot(world, "s1")
    world.pool.write("vdi-a", 5 * BLOCK, 10)
    snapshot(world, "s2")
    world.pool.write("vdi-a", 9 * BLOCK, BLOCK + 1)
    assert blocks(world, index, "s1", "s2") == [5]
    assert blocks(world, index, "s2", "a") == [9, 10]
    assert blocks(world, index, "s1", "a") == [5, 9, 10]


def test_a_grown_disk_has_changed_where_it_grew() -> None:
    world, index = started()
    snapshot(world, "s")
    world.process().resize("a", 9 * GRAIN)
    assert blocks(world, index, "s", "a") == list(range(8 * GRAIN // BLOCK, 9 * GRAIN // BLOCK))


def test_too_much_to_look_at_is_named_by_objects(monkeypatch: Any) -> None:
    monkeypatch.setattr(changes, "MOST_OBJECTS", 1)
    world, index = started()
    snapshot(world, "s")
    for number in (0, 3):
        world.pool.write("vdi-a", number * GRAIN, 1)
    objects = [range(n * GRAIN // BLOCK, (n + 1) * GRAIN // BLOCK) for n in (0, 3)]
    assert blocks(world, index, "s", "a") == [block for blocks_of in objects for block in blocks_of]


@pytest.mark.parametrize(
    "since, until", [("s2", "s1"), ("a", "s1"), ("s1", "s1"), ("a", "a"), ("s1", "c"), ("s1", "b"), ("u", "a")]
)
def test_what_cannot_be_told_is_refused(since: str, until: str) -> None:
    world, index = started()
    changes.track(index, "a", tracked=False)
    snapshot(world, "u")
    changes.track(index, "a", tracked=True)
    for name in ("s1", "s2"):
        snapshot(world, name)
    world.process().clone("s1", "c", unpaused)
    world.process().create(new_disk("b"))
    changes.track(index, "b", tracked=True)
    with pytest.raises(errors.ChangesUnknown) as caught:
        changes.bitmap(world.pool, index, since, until)
    assert "full backup" in caught.value.advice


def test_snapshots_cannot_be_tracked_by_themselves() -> None:
    world, index = started()
    snapshot(world, "s")
    with pytest.raises(errors.DiskIsSnapshot):
        changes.track(index, "s", tracked=False)
    changes.track(index, "a", tracked=True)


WRITES = st.lists(st.tuples(st.integers(0, 8 * GRAIN - 1), st.integers(1, GRAIN)), max_size=6)


@settings(max_examples=50, deadline=None)
@given(st.lists(WRITES, min_size=1, max_size=4))
def test_any_chain(chain: List[List[Tuple[int, int]]]) -> None:
    world, index = started()
    names = []
    for number, writes in enumerate(chain):
        names.append("s%d" % number)
        snapshot(world, names[-1])
        for offset, length in writes:
            world.pool.write("vdi-a", offset, min(length, 8 * GRAIN - offset))
    names.append("a")
    for older in range(len(names) - 1):
        for newer in range(older + 1, len(names)):
            wanted = set()
            for writes in chain[older:newer]:
                for offset, length in writes:
                    end = min(offset + length, 8 * GRAIN)
                    wanted |= set(range(offset // BLOCK, (end + BLOCK - 1) // BLOCK))
            assert set(blocks(world, index, names[older], names[newer])) == wanted
