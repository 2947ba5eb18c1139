"""SRs as a whole."""

import pytest
from world import HEADER, SR, Fuse, Killed, NoWait, World, new_disk

from cephhci import errors
from cephhci.ceph.memory import MemoryCluster
from cephhci.ceph.port import Usage
from cephhci.deviceconfig import DeviceConfig, parse
from cephhci.storage import sr
from cephhci.storage.index import Index

OTHER = "22222222-2222-4222-8222-222222222222"


def config(**keys: str) -> DeviceConfig:
    return parse(dict({"pool": "xcp"}, **{key.replace("_", "-"): value for key, value in keys.items()}))


def create(cluster: MemoryCluster, uuid: str = SR, **keys: str) -> None:
    sr.create(cluster, config(**keys), uuid, HEADER.features, NoWait())


def test_create_is_found_again() -> None:
    cluster = MemoryCluster(("other", "xcp"))
    cluster.add_namespace("xcp", "ns")
    create(cluster)
    create(cluster)  # the reply to the first was lost
    create(cluster, OTHER, namespace="ns")
    found = [(place.uuid, place.pool, place.namespace) for place in sr.find(cluster, "")]
    assert found == [(SR, "xcp", ""), (OTHER, "xcp", "ns")]
    assert sr.find(cluster, "other") == []
    assert Index(cluster.pool("xcp"), SR, NoWait()).header() == HEADER


def test_an_occupied_place_stays_as_it_is() -> None:
    cluster = MemoryCluster()
    create(cluster)
    with pytest.raises(errors.SrExists) as caught:
        create(cluster, OTHER)
    assert "uuid=%s" % SR in caught.value.advice
    assert [place.uuid for place in sr.find(cluster, "xcp")] == [SR]


def test_what_is_missing_is_found_out_before_anything_is_made() -> None:
    cluster = MemoryCluster()
    for keys, kind in (
        ({"pool": "none"}, errors.PoolMissing),
        ({"namespace": "none"}, errors.NamespaceMissing),
        ({"data_pool": "none"}, errors.PoolMissing),
    ):
        with pytest.raises(kind):
            create(cluster, **keys)
    assert sr.find(cluster, "") == []


def test_another_srs_index_is_not_touched() -> None:
    cluster = MemoryCluster()
    create(cluster)
    stranger = Index(cluster.pool("xcp"), OTHER, NoWait())
    for call in (stranger.header, stranger.contents, lambda: stranger.entry("a"), stranger.remove):
        with pytest.raises(errors.SrMissing) as caught:
            call()
        assert SR in caught.value.advice


def destroy(world: World) -> None:
    sr.destroy(world.pool, Index(world.pool, SR, NoWait()), world.process(), NoWait())


def test_destroy_refuses_while_disks_are_left() -> None:
    world = World()
    world.process().create(new_disk("a"))
    with pytest.raises(errors.SrNotEmpty):
        destroy(world)
    assert world.check() == ["a"]
    world.process().delete("a")
    destroy(world)
    destroy(world)
    assert sr.find(world.cluster, "") == [] and world.pool.images() == {} and world.pool.trash() == {}


def test_destroy_finishes_what_a_crash_left() -> None:
    world = World()
    world.process().create(new_disk("a"))
    with pytest.raises(Killed):
        world.process(Fuse(2)).delete("a")
    destroy(world)
    assert world.pool.images() == {} and world.pool.trash() == {}


def test_destroy_keeps_the_index_while_removals_are_not_taken_over() -> None:
    world = World()
    world.process().create(new_disk("a"))

    def refuses(image_id: str) -> None:
        raise errors.CephFailed(what="purge", number=22, reason="no active mgr")

    healthy = world.pool.purge
    world.pool.purge = refuses  # type: ignore[method-assign]
    world.process().delete("a")
    with pytest.raises(errors.CephFailed):
        destroy(world)
    assert len(world.contents().garbage) == 1
    world.pool.purge = healthy  # type: ignore[method-assign]
    destroy(world)
    assert world.pool.trash() == {}


def test_destroy_waits_for_a_mgr_that_is_starting() -> None:
    world = World()
    world.process().create(new_disk("a"))
    tries = []

    def starting(image_id: str) -> None:
        tries.append(image_id)
        if len(tries) < 5:
            raise errors.CephFailed(what="purge", number=11, reason="not ready, try again")
        healthy(image_id)

    healthy = world.pool.purge
    world.pool.purge = starting  # type: ignore[method-assign]
    world.process().delete("a")
    destroy(world)
    assert world.pool.trash() == {} and len(tries) == 5


@pytest.mark.parametrize(
    "usage, space", [(Usage(10, 90, 0), (100, 10)), (Usage(10, 90, 50), (50, 10)), (Usage(10, 30, 50), (40, 10))]
)
def test_space_respects_the_quota(usage: Usage, space: object) -> None:
    assert sr.space_of(usage) == space
