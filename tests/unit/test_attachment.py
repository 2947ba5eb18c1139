"""A disk has one writer, whatever hosts and processes do."""

import os
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Callable, Iterator, List, Set

import pytest
from world import SR, NoWait, World, new_disk

from cephhci import errors, layout
from cephhci.entry import Writer
from cephhci.host.inventory import Identity
from cephhci.host.mapper import MemoryMapper, Source
from cephhci.storage.attachment import Attachment, Claim, release
from cephhci.storage.index import Index
from cephhci.target import Target

TARGET = Target("xcp", "", "10.0.0.1", "")


@contextmanager
def unpaused() -> Iterator[None]:
    """A disk that nobody writes to needs no pause."""
    yield


class Host:
    """One host of the pool, with its mapper and its Ceph client."""

    def __init__(self, world: World, name: str, living: Set[str]) -> None:
        self.me = Identity(name, "boot-1")
        self.client = "10.0.0.9:0/%d" % sum(name.encode("ascii"))
        self.mapper = self._mapper(world, self.client)
        self.attachment = Attachment(TARGET, Source("xcp", "", "", ""), SR, self.mapper)
        self.index = Index(world.pool, SR, NoWait())
        self._world = world
        self._living = living
        self._claims = 0

    @staticmethod
    def _mapper(world: World, client: str) -> MemoryMapper:
        pool = world.pool

        def opened(name: str, read_only: bool) -> None:
            pool.image(name)
            if not read_only:
                pool.open_as(name, client)

        return MemoryMapper(opened, lambda name: pool.close_as(name, client), client)

    def claim(self) -> Claim:
        self._claims += 1
        return Claim(self.me, "%s-%d" % (self.me.host, self._claims), lambda host: host in self._living)

    def open(self, disk: str = "a") -> str:
        return self.attachment.open(self._world.cluster, self._world.pool, self.index, disk, self.claim())

    def close(self, disk: str = "a") -> None:
        if self.attachment.close(disk):
            release(self.index, disk, self.me)

    def reboot(self) -> None:
        """Power loss: the device is gone, its client still counts as a watcher for a while."""
        self.me = self.me._replace(boot="boot-2")
        self.client += "1"
        self.mapper = self._mapper(self._world, self.client)
        self.attachment = Attachment(TARGET, Source("xcp", "", "", ""), SR, self.mapper)


@pytest.fixture
def pair(tmp_path: Path, monkeypatch: Any) -> Any:
    monkeypatch.setattr(layout, "LINKS", str(tmp_path))
    world = World()
    world.process().create(new_disk("a"))
    living = {"one", "two"}
    return world, Host(world, "one", living), Host(world, "two", living), living


def writer(world: World) -> Writer:
    found = world.contents().entries["a"].writer
    assert found is not None
    return found


def test_open_claims_and_close_gives_up(pair: Any) -> None:
    world, one, _, _ = pair
    link = one.open()
    assert os.readlink(link) == "/dev/memory0"
    assert writer(world) == Writer("one", "boot-1", "one-1", (one.client,))
    one.close()
    assert not os.path.lexists(link)
    assert world.contents().entries["a"].writer is None
    assert world.pool.watchers("vdi-a") == []


def test_open_is_idempotent(pair: Any) -> None:
    world, one, _, _ = pair
    assert one.open() == one.open()
    assert len(one.mapper.mappings()) == 1
    assert writer(world).clients == (one.client,)


def test_a_second_writer_is_refused_and_changes_nothing(pair: Any) -> None:
    world, one, two, _ = pair
    one.open()
    before = world.contents()
    with pytest.raises(errors.DiskHeld) as caught:
        two.open()
    assert "host one" in str(caught.value)
    assert world.contents() == before
    assert two.mapper.mappings() == []
    assert world.cluster.fenced == []


def test_a_dead_writer_is_fenced_first(pair: Any) -> None:
    world, one, two, living = pair
    one.open()
    living.discard("one")
    two.open()
    assert world.cluster.fenced == [one.client]
    assert writer(world).host == "two"
    assert world.pool.watchers("vdi-a") == [two.client]


def test_an_earlier_boot_of_this_host_is_fenced(pair: Any) -> None:
    world, one, _, _ = pair
    one.open()
    old = one.client
    one.reboot()
    one.open()
    assert world.cluster.fenced == [old]
    assert writer(world).clients == (one.client,)


def test_a_host_that_dies_between_fencing_and_claiming_leaves_the_fencing_to_the_next(pair: Any) -> None:
    world, one, two, living = pair
    one.open()
    living.discard("one")

    class Dies(BaseException):
        pass

    def fence(client: str) -> None:
        raise Dies

    healthy = world.cluster.fence
    world.cluster.fence = fence
    with pytest.raises(Dies):
        two.open()
    assert writer(world).host == "one"
    world.cluster.fence = healthy
    two.open()
    assert world.cluster.fenced == [one.client]


def test_a_claim_taken_over_before_its_confirmation_ends_as_an_error(pair: Any) -> None:
    world, one, two, living = pair
    inner = one.mapper.map

    def slow(*args: Any) -> Any:
        mapping = inner(*args)
        living.discard("one")
        two.open()
        return mapping

    one.mapper.map = slow
    with pytest.raises(errors.DiskHeld):
        one.open()
    assert one.mapper.mappings() == []
    assert writer(world).host == "two"


def test_two_hosts_at_once_get_one_writer(pair: Any) -> None:
    world, one, two, _ = pair
    inner = one.index.update
    tries: List[int] = []

    def interrupted(disk: str, revise: Callable[..., Any]) -> Any:
        if not tries:
            tries.append(1)
            two.open()
        return inner(disk, revise)

    one.index.update = interrupted
    with pytest.raises(errors.DiskHeld):
        one.open()
    assert writer(world).host == "two"


def test_readers_claim_nothing(pair: Any) -> None:
    world, one, two, _ = pair
    entry = world.contents().entries["a"]
    one.attachment.open_read_only(entry)
    two.attachment.open_read_only(entry)
    assert world.contents().entries["a"].writer is None
    assert one.attachment.close("a") is False


def test_a_reader_becomes_the_writer(pair: Any) -> None:
    world, one, _, _ = pair
    one.attachment.open_read_only(world.contents().entries["a"])
    one.open()
    assert [mapping.read_only for mapping in one.mapper.mappings()] == [False]


def test_snapshots_are_only_read(pair: Any) -> None:
    world, one, two, _ = pair
    one.open()
    snapshot = world.process().snapshot("a", "s", "", unpaused)
    with pytest.raises(errors.DiskIsSnapshot):
        two.open("s")
    for host in (one, two):
        host.attachment.open_read_only(snapshot)
    assert two.mapper.mappings()[0].source == Source("xcp", "", "vdi-a", "snap-s")
    assert one.attachment.close("s") is False
    assert [mapping.source.snapshot for mapping in one.mapper.mappings()] == [""]
    assert two.attachment.close("a") is True
    assert len(two.mapper.mappings()) == 1


def test_a_missing_image_changes_nothing(pair: Any) -> None:
    world, one, _, _ = pair
    world.pool.trash_image("vdi-a")
    with pytest.raises(errors.ImageMissing):
        one.open()
    assert world.contents().entries["a"].writer is None


def test_a_mapping_that_fails_gives_the_claim_back(pair: Any) -> None:
    world, one, _, _ = pair

    def fails(*args: Any) -> Any:
        raise errors.MappingFailed(what="mapping", reason="no")

    one.mapper.map = fails
    with pytest.raises(errors.MappingFailed):
        one.open()
    assert world.contents().entries["a"].writer is None


def test_an_unfinished_disk_is_refused(pair: Any) -> None:
    world, one, _, _ = pair
    one.index.update("a", lambda entry: entry._replace(state="deleting"))
    with pytest.raises(errors.DiskUnfinished):
        one.open()
    with pytest.raises(errors.DiskUnfinished):
        one.attachment.open_read_only(world.contents().entries["a"])


def test_release_leaves_others_alone(pair: Any) -> None:
    world, one, two, _ = pair
    one.open()
    release(two.index, "a", two.me)
    assert writer(world).host == "one"
    release(two.index, "nothing", two.me)
