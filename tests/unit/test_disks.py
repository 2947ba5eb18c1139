"""Disks come and go; whatever step a process dies at, the next scan finds nothing lost and nothing leaked."""

import pytest
from world import CHANGES, SR, Fuse, Fused, Killed, NoWait, World, new_disk

from cephhci import errors
from cephhci.ceph.port import Pool
from cephhci.entry import DELETING, disk_key, encode
from cephhci.layout import GRAIN, INDEX_OBJECT
from cephhci.storage.disks import Disks
from cephhci.storage.index import Index
from cephhci.storage.records import Records
from cephhci.storage.recovery import scan


def test_create_and_delete() -> None:
    world = World()
    entry = world.process().create(new_disk("a", size=GRAIN + 1))
    assert (entry.size, entry.label, entry.state) == (2 * GRAIN, "b\u00fcro", "ok")
    assert world.check() == ["a"]
    assert world.process().delete("a") == 2 * GRAIN
    world.scan()
    assert world.check() == []


def test_a_second_disk_of_the_same_uuid_is_refused() -> None:
    world = World()
    world.process().create(new_disk("a"))
    with pytest.raises(errors.DiskExists):
        world.process().create(new_disk("a"))
    assert world.check() == ["a"]


def test_an_image_of_somebody_else_is_left_alone() -> None:
    world = World()
    world.pool.create_image("vdi-a", GRAIN, ["layering"], "")
    with pytest.raises(errors.ImageExists):
        world.process().create(new_disk("a"))
    assert world.contents().entries == {}
    assert list(world.pool.images()) == ["vdi-a"]


@pytest.mark.parametrize("size", [0, -5])
def test_impossible_sizes_change_nothing(size: int) -> None:
    world = World()
    with pytest.raises(errors.SizeInvalid):
        world.process().create(new_disk("a", size=size))
    assert world.check() == []


def test_a_disk_larger_than_the_quota_changes_nothing() -> None:
    world = World()
    world.pool.quota = GRAIN
    with pytest.raises(errors.NoSpace):
        world.process().create(new_disk("a", size=GRAIN + 1))
    assert world.check() == []
    world.process().create(new_disk("b", size=GRAIN))


def test_delete_of_an_open_disk_is_refused() -> None:
    world = World()
    world.process().create(new_disk("a"))
    world.pool.open_as("vdi-a", "10.0.0.9:0/1")
    with pytest.raises(errors.DiskInUse) as caught:
        world.process().delete("a")
    assert "10.0.0.9:0/1" in str(caught.value)
    assert world.check() == ["a"]


def test_delete_is_idempotent() -> None:
    world = World()
    world.process().create(new_disk("a"))
    world.process().delete("a")
    assert world.process().delete("a") == 0


def test_delete_of_a_disk_whose_image_is_gone() -> None:
    world = World()
    world.process().create(new_disk("a"))
    world.pool.trash_image("vdi-a")
    world.process().delete("a")
    world.scan()
    assert world.check() == []


def test_an_image_that_took_the_name_is_not_deleted() -> None:
    world = World()
    world.process().create(new_disk("a"))
    world.pool.trash_image("vdi-a")
    world.pool.create_image("vdi-a", GRAIN, [], "")
    world.process().delete("a")
    assert list(world.pool.images()) == ["vdi-a"]


class Refusing:
    """Records whose introduce fails, as when XAPI is restarting."""

    def __init__(self, inner: object) -> None:
        self._inner = inner

    def __getattr__(self, name: str) -> object:
        return getattr(self._inner, name)

    def introduce(self, entry: object) -> None:
        raise RuntimeError("no XAPI")


def test_a_disk_that_xapi_does_not_take_is_taken_back() -> None:
    world = World()
    disks = world.process()
    disks._records = Refusing(disks._records)  # type: ignore[assignment]
    with pytest.raises(RuntimeError):
        disks.create(new_disk("a"))
    world.scan()
    assert world.check() == []


def test_a_label_is_kept() -> None:
    world = World()
    world.process().create(new_disk("a"))
    world.process().relabel("a", "\u96fb\u8133", "x" * 65536, "")
    assert world.contents().entries["a"].label == "\u96fb\u8133"
    with pytest.raises(errors.DiskMissing):
        world.process().relabel("b", "", "", "")


def steps_of(action: str) -> int:
    world = World()
    fuse = Fuse()
    act(world, action, fuse)
    return fuse.count


def act(world: World, action: str, fuse: Fuse) -> None:
    if action == "create":
        world.process(fuse).create(new_disk("a"))
    else:
        world.process().create(new_disk("a"))
        world.process(fuse).delete("a")


KILLS = [
    (action, step, after)
    for action in ("create", "delete")
    for step in range(1, steps_of(action) + 1)
    for after in (False, True)
]


@pytest.mark.parametrize("action, step, after", KILLS)
def test_killed_at_any_step(action: str, step: int, after: bool) -> None:
    world = World()
    world.process().create(new_disk("other"))
    with pytest.raises(Killed):
        act(world, action, Fuse(step, after))
    world.scan()
    world.scan()  # the first one asks for removals, the next sees that they are done
    left = world.check()
    assert "other" in left
    if action == "create":
        # Either wholly there, or wholly gone and possible again.
        if "a" not in left:
            world.process().create(new_disk("a"))
    elif step > 1 or after:
        assert "a" not in left
    assert world.scan().repaired == []


@pytest.mark.parametrize("action, step, after", KILLS)
def test_the_scan_killed_too(action: str, step: int, after: bool) -> None:
    for again in range(1, 8):
        world = World()
        with pytest.raises(Killed):
            act(world, action, Fuse(step, after))
        try:
            world.scan(Fuse(again, after))
        except Killed:
            pass
        world.scan()
        world.scan()
        world.check()


def test_a_creation_that_ends_while_a_scan_runs_is_kept() -> None:
    world = World()

    class Late(Fused):
        """A pool whose listing of images is followed by the end of another process's creation."""

        def __getattr__(self, name: str) -> object:
            attribute = getattr(self._inner, name)
            if name != "images":
                return attribute

            def images() -> object:
                found = attribute()
                index = Index(world.pool, SR, NoWait())
                index.update("a", lambda entry: entry._replace(state="ok"))
                return found

            return images

    world.process().create(new_disk("a"))
    index = Index(world.pool, SR, NoWait())
    index.update("a", lambda entry: entry._replace(state="creating"))
    world.records.entries.clear()
    late = Late(world.pool, Fuse())
    disks = Disks(late, Index(late, SR, NoWait()), world.records)  # type: ignore[arg-type]
    found = scan(late, Index(late, SR, NoWait()), disks, world.records)  # type: ignore[arg-type]
    assert [entry.uuid for entry in found.entries] == ["a"]
    assert "vdi-a" in world.pool.images()


def test_a_disk_without_image_is_reported_and_kept() -> None:
    world = World()
    world.process().create(new_disk("a"))
    world.pool.trash_image("vdi-a")
    found = world.scan()
    assert found.missing == ["a"]
    assert [entry.uuid for entry in found.entries] == ["a"]


def test_a_damaged_entry_stops_the_scan() -> None:
    world = World()
    world.process().create(new_disk("a"))
    version = world.pool.read_all(INDEX_OBJECT).version
    world.pool.write_keys(INDEX_OBJECT, version, {disk_key("b"): b"{"}, [])
    with pytest.raises(errors.IndexDamaged):
        world.scan()
    assert world.records.known("a")


def test_concurrent_changes_of_different_disks_both_count() -> None:
    world = World()
    first = world.process()
    first.create(new_disk("a"))
    index = Index(world.pool, SR, NoWait())
    tries = []

    def slow(entry: object) -> object:
        tries.append(entry)
        if len(tries) == 1:
            world.process().create(new_disk("b"))
        return entry._replace(label="late")  # type: ignore[attr-defined]

    index.update("a", slow)  # type: ignore[arg-type]
    assert len(tries) == 2
    entries = world.contents().entries
    assert entries["a"].label == "late" and entries["b"].state == "ok"


def test_every_change_that_the_adapters_offer_can_be_killed() -> None:
    readers = {"read_all", "read_keys", "image", "image_id", "images", "snapshots", "changes", "watchers", "trash"}
    readers |= {"usage", "known"}
    offered = {name for port in (Pool, Records) for name in port.__abstractmethods__}  # type: ignore[attr-defined]
    assert offered == readers | CHANGES


def test_a_garbage_record_goes_when_its_image_is_gone() -> None:
    world = World()
    world.process().create(new_disk("a"))
    world.process().delete("a")
    assert len(world.contents().garbage) == 1
    world.scan()
    assert world.contents().garbage == []


def test_a_decided_deletion_is_finished_by_a_scan() -> None:
    world = World()
    world.process().create(new_disk("a"))
    entry = world.contents().entries["a"]._replace(state=DELETING)
    version = world.pool.read_all(INDEX_OBJECT).version
    world.pool.write_keys(INDEX_OBJECT, version, {disk_key("a"): encode(entry)}, [])
    world.scan()
    world.scan()
    assert world.check() == []
