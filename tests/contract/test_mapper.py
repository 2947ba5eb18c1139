"""What the mapper of the lab does with real images, and its twin in memory does alike."""

import os
from collections.abc import Iterator
from typing import Any

import pytest

from cephhci import errors
from cephhci.ceph.memory import MemoryCluster, MemoryPool
from cephhci.ceph.port import Cluster, Pool
from cephhci.host.external import mapper
from cephhci.host.mapper import Mapper, MemoryMapper, Source
from cephhci.target import Target

SIZE = 8 << 20
Pair = tuple[Mapper, Pool]


def memory() -> Pair:
    pool = MemoryCluster().pool("xcp")

    def opened(name: str, read_only: bool) -> None:
        pool.image(name)
        if not read_only:
            pool.open_as(name, "10.0.0.9:0/1")

    return MemoryMapper(opened, lambda name: pool.close_as(name, "10.0.0.9:0/1"), "10.0.0.9:0/1"), pool


@pytest.fixture(params=["memory", "fuse"])
def pair(request: Any) -> Iterator[Pair]:
    """A mapper, and the pool whose images it maps; nothing stays mapped."""
    if request.param == "memory":
        yield memory()
        return
    cluster: Cluster = request.getfixturevalue("real_cluster")
    made = mapper("fuse")
    before = made.mappings()
    yield made, cluster.pool("xcp")
    for mapping in made.mappings():
        if mapping not in before:
            made.unmap(mapping.device)


def image(pair: Pair, name: str) -> Source:
    made, pool = pair
    pool.create_image(name, SIZE, made.features(), "")
    return Source("xcp", "", name, "")


def test_features(pair: Pair) -> None:
    assert {"layering", "exclusive-lock"} <= set(pair[0].features())


def test_map_and_unmap(pair: Pair, name: str, target: Target, eventually: Any) -> None:
    made, pool = pair
    source = image(pair, name)
    mapping = made.map(target, source, read_only=False)
    assert (mapping.source, mapping.read_only) == (source, False)
    assert [found.device for found in made.mappings() if found.source == source] == [mapping.device]
    eventually(lambda: len(pool.watchers(name)) == 1)
    if not isinstance(pool, MemoryPool):
        assert os.path.getsize(mapping.device) == SIZE
    made.unmap(mapping.device)
    assert [found for found in made.mappings() if found.source == source] == []
    eventually(lambda: pool.watchers(name) == [])
    made.unmap(mapping.device)


def test_read_only(pair: Pair, name: str, target: Target) -> None:
    made, _ = pair
    mapping = made.map(target, image(pair, name), read_only=True)
    assert mapping.read_only
    assert [found.read_only for found in made.mappings() if found.source.image == name] == [True]


def test_a_snapshot(pair: Pair, name: str, target: Target) -> None:
    made, pool = pair
    source = image(pair, name)
    pool.create_snapshot(name, "s")
    head = made.map(target, source, read_only=False)
    mapping = made.map(target, source._replace(snapshot="s"), read_only=True)
    assert mapping.device != head.device
    shown = {found.source.snapshot: found.device for found in made.mappings() if found.source.image == name}
    assert shown == {"": head.device, "s": mapping.device}


def test_an_image_that_does_not_exist(pair: Pair, name: str, target: Target) -> None:
    for read_only in (False, True):
        with pytest.raises(errors.MappingFailed):
            pair[0].map(target, Source("xcp", "", name, ""), read_only)
    assert [found for found in pair[0].mappings() if found.source.image == name] == []


def test_bytes_reach_the_image(name: str, target: Target, real_cluster: Cluster) -> None:
    made, pool = mapper("fuse"), real_cluster.pool("xcp")
    source = image((made, pool), name)
    data = os.urandom(65536)
    mapping = made.map(target, source, read_only=False)
    with open(mapping.device, "r+b", buffering=0) as device:
        device.seek(1 << 20)
        device.write(data)
        os.fsync(device.fileno())
    made.unmap(mapping.device)
    again = made.map(target, source, read_only=True)
    with open(again.device, "rb", buffering=0) as device:
        device.seek(1 << 20)
        assert device.read(65536) == data
    made.unmap(again.device)
