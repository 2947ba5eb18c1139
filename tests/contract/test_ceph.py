"""What RadosCluster does on a real cluster, and its twin in memory does alike."""

from typing import Any, Dict, Iterator, Tuple

import pytest

from cephhci import errors
from cephhci.ceph.memory import MemoryCluster, MemoryPool
from cephhci.ceph.port import Cluster, Pool

FEATURES = ("exclusive-lock", "layering")


@pytest.fixture(params=["memory", "real"])
def cluster(request: Any) -> Iterator[Cluster]:
    """A cluster with a pool `xcp`."""
    if request.param == "memory":
        yield MemoryCluster(("xcp",))
    else:
        yield request.getfixturevalue("real_cluster")


@pytest.fixture
def pool(cluster: Cluster) -> Pool:
    return cluster.pool("xcp")


def test_pools(cluster: Cluster) -> None:
    assert "xcp" in cluster.pools()
    with pytest.raises(errors.PoolMissing) as caught:
        cluster.pool("nothing")
    assert "xcp" in caught.value.advice
    with pytest.raises(errors.NamespaceMissing):
        cluster.pool("xcp", "nothing")
    assert "nothing" not in cluster.namespaces("xcp")
    assert len(cluster.fsid()) == 36


def test_commands(cluster: Cluster) -> None:
    health = cluster.command("health")
    assert isinstance(health, dict) and "status" in health
    with pytest.raises(errors.CephFailed):
        cluster.command("no such command")


def test_objects_are_created_once(pool: Pool, name: str) -> None:
    with pytest.raises(errors.ObjectMissing):
        pool.read_all(name)
    with pytest.raises(errors.ObjectMissing):
        pool.read_keys(name, ["a"])
    pool.create_object(name, {"a": b"1"})
    with pytest.raises(errors.ObjectExists):
        pool.create_object(name, {"a": b"2"})
    assert pool.read_all(name).values == {"a": b"1"}


def test_keys(pool: Pool, name: str) -> None:
    pool.create_object(name, {"a": b"1", "b": b"\xff\x00", "c": b""})
    read = pool.read_keys(name, ["b", "none", "c"])
    assert read.values == {"b": b"\xff\x00", "c": b""}
    pool.write_keys(name, read.version, {"d": b"4"}, ["a", "none"])
    assert pool.read_all(name).values == {"b": b"\xff\x00", "c": b"", "d": b"4"}


def test_a_change_counts_only_on_the_version_it_was_decided_on(pool: Pool, name: str) -> None:
    pool.create_object(name, {"a": b"1"})
    old = pool.read_keys(name, ["a"])
    assert pool.read_all(name).version == old.version
    pool.write_keys(name, old.version, {"a": b"2"}, [])
    with pytest.raises(errors.Stale):
        pool.write_keys(name, old.version, {"a": b"3"}, [])
    with pytest.raises(errors.Stale):
        pool.remove_object(name, old.version)
    fresh = pool.read_keys(name, ["a"])
    assert fresh.values == {"a": b"2"}
    pool.remove_object(name, fresh.version)
    with pytest.raises(errors.Stale):
        pool.write_keys(name, fresh.version, {"a": b"4"}, [])
    with pytest.raises(errors.Stale):
        pool.remove_object(name, fresh.version)
    with pytest.raises(errors.ObjectMissing):
        pool.read_all(name)


def test_an_object_made_anew_is_another_one(pool: Pool, name: str) -> None:
    pool.create_object(name, {"a": b"1"})
    old = pool.read_keys(name, []).version
    for step in range(3):
        pool.write_keys(name, old, {"a": b"%d" % step}, [])
        old = pool.read_keys(name, []).version
    pool.remove_object(name, old)
    pool.create_object(name, {"a": b"9"})
    with pytest.raises(errors.Stale):
        pool.write_keys(name, old, {"a": b"5"}, [])
    assert pool.read_all(name).values == {"a": b"9"}


def test_more_keys_than_a_page(pool: Pool, name: str) -> None:
    values: Dict[str, bytes] = {"k%05d" % number: b"v%d" % number for number in range(3000)}
    pool.create_object(name, values)
    assert pool.read_all(name).values == values
    exactly = {"k%05d" % number: b"" for number in range(1024)}
    pool.create_object(name + "-page", exactly)
    assert pool.read_all(name + "-page").values == exactly


def test_images(pool: Pool, name: str) -> None:
    with pytest.raises(errors.ImageMissing):
        pool.image(name)
    with pytest.raises(errors.ImageMissing):
        pool.image_id(name)
    with pytest.raises(errors.ImageMissing):
        pool.watchers(name)
    with pytest.raises(errors.ImageMissing):
        pool.trash_image(name)
    pool.create_image(name, 4 << 20, FEATURES, "")
    facts = pool.image(name)
    assert (facts.size, facts.features) == (4 << 20, FEATURES)
    assert pool.images()[name] == pool.image_id(name) == facts.id
    assert pool.watchers(name) == []
    with pytest.raises(errors.ImageExists):
        pool.create_image(name, 4 << 20, FEATURES, "")
    pool.trash_image(name)
    with pytest.raises(errors.ImageMissing):
        pool.image_id(name)
    assert name not in pool.images()
    assert pool.trash()[facts.id] == name
    pool.create_image(name, 8 << 20, FEATURES, "")
    assert pool.image_id(name) != facts.id


def test_ids_and_sizes(pool: Pool, name: str) -> None:
    with pytest.raises(errors.ImageMissing):
        pool.image_id(name)
    with pytest.raises(errors.ImageMissing):
        pool.resize_image(name, 8 << 20)
    pool.create_image(name, 4 << 20, FEATURES, "")
    assert pool.image_id(name) == pool.image(name).id
    pool.resize_image(name, 12 << 20)
    assert pool.image(name).size == 12 << 20
    pool.resize_image(name, 12 << 20)


def test_snapshots_and_clones(pool: Pool, name: str, eventually: Any) -> None:
    for missing in (pool.snapshots, lambda image: pool.create_snapshot(image, "s")):
        with pytest.raises(errors.ImageMissing):
            missing(name)
    pool.create_image(name, 4 << 20, FEATURES, "")
    assert pool.snapshots(name) == {}
    pool.create_snapshot(name, "s")
    with pytest.raises(errors.SnapshotExists):
        pool.create_snapshot(name, "s")
    pool.resize_image(name, 8 << 20)
    pool.create_snapshot(name, "t")
    assert list(pool.snapshots(name).items()) == [("s", 4 << 20), ("t", 8 << 20)]
    with pytest.raises(errors.ImageMissing):
        pool.clone_image(name, "none", name + "-c", FEATURES, "")
    pool.clone_image(name, "s", name + "-c", FEATURES, "")
    with pytest.raises(errors.ImageExists):
        pool.clone_image(name, "t", name + "-c", FEATURES, "")
    assert pool.image(name + "-c").size == 4 << 20
    for snapshot in ("s", "t", "t", "none"):
        pool.remove_snapshot(name, snapshot)
    assert pool.snapshots(name) == {}
    # The image cannot go before its clone; the cluster keeps the request until it can.
    image_id = pool.image_id(name)
    pool.trash_image(name)
    pool.purge(image_id)
    assert image_id in pool.trash()
    clone_id = pool.image_id(name + "-c")
    pool.trash_image(name + "-c")
    pool.purge(clone_id)
    eventually(lambda: image_id not in pool.trash() and clone_id not in pool.trash())


def write(pool: Pool, name: str, offset: int, length: int, request: Any) -> None:
    """Have a client write to an image."""
    if isinstance(pool, MemoryPool):
        pool.write(name, offset, length)
    else:
        request.getfixturevalue("scribe")(name, offset, length)


def test_changes(pool: Pool, name: str, request: Any) -> None:
    size = 16 << 20
    pool.create_image(name, size, ("exclusive-lock", "fast-diff", "layering", "object-map"), "")
    write(pool, name, 0, 4096, request)
    pool.create_snapshot(name, "s")
    write(pool, name, 4096, 4096, request)
    pool.create_snapshot(name, "t")
    write(pool, name, 9 << 20, 65536, request)
    assert pool.changes(name, "s", "t", 0, size, False) == [(4096, 4096)]
    assert pool.changes(name, "s", "t", 0, size, True) == [(0, 4 << 20)]
    assert pool.changes(name, "t", "", 0, size, True) == [(8 << 20, 4 << 20)]
    exact = pool.changes(name, "t", "", 0, size, False)
    assert sum(length for _, length in exact) >= 65536
    assert any(offset <= 9 << 20 and offset + length >= (9 << 20) + 65536 for offset, length in exact)
    assert pool.changes(name, "t", "", 0, 8 << 20, False) == []
    assert sorted(offset // (4 << 20) for offset, _ in pool.changes(name, "s", "", 0, size, True)) == [0, 2]
    with pytest.raises(errors.ImageMissing):
        pool.changes(name, "none", "", 0, size, True)
    with pytest.raises(errors.ImageMissing):
        pool.changes(name, "s", "none", 0, size, True)


def test_purging(pool: Pool, name: str, eventually: Any) -> None:
    pool.create_image(name, 4 << 20, FEATURES, "")
    image_id = pool.image(name).id
    pool.trash_image(name)
    pool.purge(image_id)
    eventually(lambda: image_id not in pool.trash())
    pool.purge(image_id)
    pool.purge("0123456789ab")


def open_as(pool: Pool, name: str, request: Any) -> Tuple[str, Any]:
    """Have another client open an image for writing; returns its address and a function that closes it."""
    if not hasattr(pool, "open_as"):
        return request.getfixturevalue("stranger")(name)
    pool.open_as(name, "10.0.0.9:0/1")
    return "10.0.0.9:0/1", lambda: pool.close_as(name, "10.0.0.9:0/1")


def test_watchers_and_fencing(cluster: Cluster, pool: Pool, name: str, request: Any, eventually: Any) -> None:
    pool.create_image(name, 4 << 20, FEATURES, "")
    client, close = open_as(pool, name, request)
    assert pool.watchers(name) == [client]
    close()
    eventually(lambda: pool.watchers(name) == [])
    client, close = open_as(pool, name, request)
    cluster.fence(client)
    eventually(lambda: pool.watchers(name) == [])
    close()


def test_usage(pool: Pool) -> None:
    usage = pool.usage()
    assert usage.available > 0 and usage.stored >= 0 and usage.quota == 0
