"""An SR as a whole: making it, finding it, its space, its end."""

import errno
from typing import List, NamedTuple, Sequence

from cephhci import errors
from cephhci.ceph.port import Cluster, Pool, Usage
from cephhci.clock import Clock
from cephhci.deviceconfig import DeviceConfig
from cephhci.entry import DELETING, HEADER_KEY, Header, decode_header
from cephhci.layout import INDEX_OBJECT
from cephhci.storage.disks import Disks
from cephhci.storage.index import Index
from cephhci.xmltext import FoundSr

HAND_OVER_SECONDS = 30


class Space(NamedTuple):
    """Bytes of an SR: what it could hold in all, and what it holds."""

    size: int
    used: int


def create(cluster: Cluster, config: DeviceConfig, sr: str, features: Sequence[str], clock: Clock) -> None:
    """Check everything that can be checked, then claim the place.

    ``xe sr-create`` reports success even when the attach after it fails, so nothing may be left to find out there.
    Raises PoolMissing, NamespaceMissing, AccessDenied, SrExists and what the cluster raises.
    """
    pool = cluster.pool(config.pool, config.namespace)
    if config.data_pool:
        cluster.pool(config.data_pool)
    pool.images()
    pool.trash()
    space(pool, cluster, config.data_pool)
    Index(pool, sr, clock).create(Header(sr, tuple(sorted(features)), config.data_pool))


def destroy(pool: Pool, index: Index, disks: Disks, clock: Clock) -> None:
    """Give the place back; raises SrNotEmpty while disks are there. Idempotent."""
    try:
        contents = index.contents()
    except errors.SrMissing:
        return
    for entry in contents.entries.values():
        if entry.state != DELETING:
            raise errors.SrNotEmpty(sr=contents.header.sr, count=len(contents.entries))
    for entry in contents.entries.values():
        disks.finish_deletion(entry)
    # The index is what would ask again for these removals; it may go once the cluster has taken them all over.
    for item in index.contents().garbage:
        _hand_over(pool, item.image_id, clock)
    index.remove()


def _hand_over(pool: Pool, image_id: str, clock: Clock) -> None:
    """Have the cluster take over a removal; a mgr that has just become active takes none for some seconds."""
    deadline = clock.now() + HAND_OVER_SECONDS
    while True:
        try:
            pool.purge(image_id)
            return
        except errors.CephFailed as error:
            if error.fields["number"] != errno.EAGAIN or clock.now() > deadline:
                raise
            clock.sleep(1)


def space(pool: Pool, cluster: Cluster, data_pool: str) -> Space:
    """Space of the pool that holds the data, replicas counted once and quotas respected."""
    return space_of((cluster.pool(data_pool) if data_pool else pool).usage())


def space_of(usage: Usage) -> Space:
    """What a pool's figures mean for an SR; pure."""
    size = usage.stored + usage.available
    return Space(min(size, usage.quota) if usage.quota else size, usage.stored)


def find(cluster: Cluster, pool: str) -> List[FoundSr]:
    """SRs in ``pool``, or in all pools that the user may read."""
    found: List[FoundSr] = []
    for name in [pool] if pool else cluster.pools():
        try:
            for namespace in [""] + cluster.namespaces(name):
                found += _found(cluster.pool(name, namespace))
        except errors.AccessDenied:
            if pool:
                raise
    return found


def _found(pool: Pool) -> List[FoundSr]:
    try:
        values = pool.read_keys(INDEX_OBJECT, [HEADER_KEY]).values
    except errors.ObjectMissing:
        return []
    if HEADER_KEY not in values:
        return []
    return [FoundSr(decode_header(values[HEADER_KEY]).sr, pool.name, pool.namespace)]
