"""Snapshots, clones and growth, in any order and with processes that die at any step."""

from contextlib import contextmanager
from typing import Any, Callable, Dict, Iterator, List, Tuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from world import Fuse, Killed, World, new_disk

from cephhci import errors
from cephhci.layout import GRAIN
from cephhci.storage import disks as disks_module


class Pauses:
    """Counts pauses; the disk must be running again afterwards."""

    def __init__(self) -> None:
        self.seen: List[str] = []

    @contextmanager
    def __call__(self) -> Iterator[None]:
        self.seen.append("pause")
        try:
            yield
        finally:
            self.seen.append("unpause")


def calm(world: World) -> List[str]:
    """The disks, after the scans that finish everything."""
    world.scan()
    world.scan()
    return world.check()


def started() -> World:
    world = World()
    world.process().create(new_disk("a", size=2 * GRAIN))
    return world


def test_snapshot() -> None:
    world, pause = started(), Pauses()
    entry = world.process().snapshot("a", "s", "20261125T12:00:00Z", pause)
    assert (entry.snapshot_of, entry.read_only, entry.size, entry.image) == ("a", True, 2 * GRAIN, "vdi-a")
    assert pause.seen == ["pause", "unpause"]
    assert world.check() == ["a", "s"]


def test_a_snapshot_that_fails_unpauses_and_leaves_nothing() -> None:
    world, pause = started(), Pauses()
    process = world.process()

    def fails(name: str, snapshot: str) -> None:
        raise errors.ClusterUnreachable(what="snapshot", reason="timed out")

    healthy = world.pool.create_snapshot
    world.pool.create_snapshot = fails  # type: ignore[method-assign]
    with pytest.raises(errors.ClusterUnreachable):
        process.snapshot("a", "s", "", pause)
    world.pool.create_snapshot = healthy  # type: ignore[method-assign]
    assert pause.seen == ["pause", "unpause"]
    assert calm(world) == ["a"]


def test_a_snapshot_that_a_scan_gives_up_on_leaves_nothing() -> None:
    """The scan of another host took the entry back before the RBD snapshot was there."""
    world = started()
    take = world.pool.create_snapshot

    def overtaken(name: str, snapshot: str) -> None:
        world.scan()
        take(name, snapshot)

    world.pool.create_snapshot = overtaken  # type: ignore[method-assign]
    with pytest.raises(errors.DiskMissing):
        world.process().snapshot("a", "s", "", Pauses())
    world.pool.create_snapshot = take  # type: ignore[method-assign]
    assert world.pool.snapshots("vdi-a") == {}
    assert calm(world) == ["a"]


def test_too_many_snapshots(monkeypatch: Any) -> None:
    monkeypatch.setattr(disks_module, "MOST_SNAPSHOTS", 2)
    world = started()
    for name in ("s1", "s2"):
        world.process().snapshot("a", name, "", Pauses())
    with pytest.raises(errors.TooManySnapshots):
        world.process().snapshot("a", "s3", "", Pauses())
    assert world.check() == ["a", "s1", "s2"]


def test_clone_of_a_disk_pauses_it_and_leaves_no_snapshot() -> None:
    world, pause = started(), Pauses()
    entry = world.process().clone("a", "c", pause)
    assert (entry.image, entry.size, entry.read_only, entry.snapshot_of) == ("vdi-c", 2 * GRAIN, False, "")
    assert pause.seen == ["pause", "unpause"]
    assert world.check() == ["a", "c"]


def test_clone_of_a_snapshot_pauses_nothing() -> None:
    world, pause = started(), Pauses()
    world.process().snapshot("a", "s", "", Pauses())
    world.process().clone("s", "c", pause)
    assert pause.seen == []
    assert world.check() == ["a", "c", "s"]


def test_a_snapshot_of_a_snapshot() -> None:
    world = started()
    world.process().snapshot("a", "s", "", Pauses())
    entry = world.process().snapshot("s", "t", "20261125T12:00:00Z", Pauses())
    assert (entry.read_only, entry.snapshot_of, entry.snap, entry.image) == (True, "s", "", "vdi-t")
    assert world.check() == ["a", "s", "t"]


def test_revert_as_xapi_does_it() -> None:
    """Destroy the disk, then clone its snapshot; the hidden image goes with the snapshot."""
    world = started()
    world.process().snapshot("a", "s", "", Pauses())
    world.process().delete("a")
    assert world.check() == ["s"]
    world.process().clone("s", "b", Pauses())
    assert calm(world) == ["b", "s"]
    world.process().delete("s")
    world.scan()
    assert world.contents().entries.keys() == {"b"}
    assert list(world.pool.trash().values()) == ["vdi-a"]  # kept by the cluster for its clone
    world.process().delete("b")
    assert calm(world) == []


def test_the_image_of_a_deleted_disk_waits_for_its_clones() -> None:
    world = started()
    world.process().clone("a", "c", Pauses())
    world.process().delete("a")
    world.scan()
    assert list(world.pool.trash().values()) == ["vdi-a"]
    assert len(world.contents().garbage) == 1
    world.process().delete("c")
    assert calm(world) == []


def test_resize() -> None:
    world = started()
    assert world.process().resize("a", 5 * GRAIN - 1).size == 5 * GRAIN
    assert world.process().resize("a", 5 * GRAIN).size == 5 * GRAIN
    with pytest.raises(errors.SizeInvalid) as caught:
        world.process().resize("a", GRAIN)
    assert "can only grow" in str(caught.value)
    world.pool.quota = 6 * GRAIN
    with pytest.raises(errors.NoSpace):
        world.process().resize("a", 7 * GRAIN)
    assert world.check() == ["a"]


def test_a_snapshot_cannot_grow_and_keeps_its_size() -> None:
    world = started()
    world.process().snapshot("a", "s", "", Pauses())
    world.process().resize("a", 9 * GRAIN)
    with pytest.raises(errors.DiskIsSnapshot) as caught:
        world.process().resize("s", 9 * GRAIN)
    assert "vdi-clone uuid=s" in caught.value.advice
    assert world.contents().entries["s"].size == 2 * GRAIN
    assert world.process().clone("s", "c", Pauses()).size == 2 * GRAIN
    assert world.check() == ["a", "c", "s"]


Action = Callable[[World, Fuse], object]
ACTIONS: Dict[str, Tuple[Action, Action]] = {
    "snapshot": (lambda w, f: None, lambda w, f: w.process(f).snapshot("a", "x", "", Pauses())),
    "clone disk": (lambda w, f: None, lambda w, f: w.process(f).clone("a", "x", Pauses())),
    "clone snapshot": (
        lambda w, f: w.process().snapshot("a", "s", "", Pauses()),
        lambda w, f: w.process(f).clone("s", "x", Pauses()),
    ),
    "resize": (lambda w, f: None, lambda w, f: w.process(f).resize("a", 9 * GRAIN)),
    "delete snapshot": (
        lambda w, f: w.process().snapshot("a", "x", "", Pauses()),
        lambda w, f: w.process(f).delete("x"),
    ),
    "delete origin": (
        lambda w, f: w.process().snapshot("a", "s", "", Pauses()),
        lambda w, f: w.process(f).delete("a"),
    ),
    "delete last snapshot of a hidden disk": (
        lambda w, f: [w.process().snapshot("a", "s", "", Pauses()), w.process().delete("a")],
        lambda w, f: w.process(f).delete("s"),
    ),
}


def steps_of(name: str) -> int:
    world, fuse = started(), Fuse()
    before, action = ACTIONS[name]
    before(world, fuse)
    action(world, fuse)
    return fuse.count


KILLS = [(name, step, after) for name in ACTIONS for step in range(1, steps_of(name) + 1) for after in (False, True)]


@pytest.mark.parametrize("name, step, after", KILLS)
def test_killed_at_any_step(name: str, step: int, after: bool) -> None:
    for again in [0, 1, 2, 3, 4]:
        world = started()
        before, action = ACTIONS[name]
        before(world, Fuse())
        with pytest.raises(Killed):
            action(world, Fuse(step, after))
        if again:
            try:
                world.scan(Fuse(again, after))
            except Killed:
                pass
        left = calm(world)
        if "delete" not in name:
            assert "a" in left
        assert world.scan().repaired == []


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(["snapshot", "clone", "delete", "resize"]), st.integers(0, 30)), max_size=14))
def test_any_order(steps: List[Tuple[str, int]]) -> None:
    """Whatever is done in whatever order: what was not deleted is there, what was is gone, nothing is left over."""
    world = started()
    model: Dict[str, Tuple[int, bool]] = {"a": (2 * GRAIN, False)}
    for number, (what, choice) in enumerate(steps):
        if not model:
            break
        origin = sorted(model)[choice % len(model)]
        size, is_snapshot = model[origin]
        fresh = "d%02d" % number
        if what == "delete":
            world.process().delete(origin)
            del model[origin]
        elif what == "clone":
            world.process().clone(origin, fresh, Pauses())
            model[fresh] = (size, False)
        elif what == "snapshot" and not is_snapshot:
            world.process().snapshot(origin, fresh, "", Pauses())
            model[fresh] = (size, True)
        elif what == "resize" and not is_snapshot:
            world.process().resize(origin, size + GRAIN)
            model[origin] = (size + GRAIN, False)
        found = {entry.uuid: entry.size for entry in world.scan().entries}
        assert found == {uuid: kept for uuid, (kept, _) in model.items()}
    for uuid in sorted(model):
        world.process().delete(uuid)
    assert calm(world) == []
    assert world.pool.images() == {}
