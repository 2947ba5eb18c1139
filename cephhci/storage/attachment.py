"""A host's access to a disk.

A disk has at most one writer, and the index names it. To write, a host claims the disk (compare-and-swap), maps
the image, and confirms the claim with the address of the Ceph client that has it open. Data is written only after
the confirmation, so a claim that was taken over in between ends as an error and not as a second writer.

A claim of another host is taken over only when that host is dead by XAPI's account, and after its client was
blocklisted: from then on the cluster refuses what a zombie may still send. A claim of an earlier boot of this
host is taken over the same way; without the blocklist the dead client would hold the image's lock for 30 s.
"""

import os
from typing import Callable, List, NamedTuple, Optional, Tuple

from cephhci import errors
from cephhci.ceph.port import Cluster, Pool
from cephhci.entry import READY, Entry, Writer
from cephhci.host.inventory import Identity
from cephhci.host.mapper import Mapper, Mapping, Source
from cephhci.layout import device_link, image_name, snapshot_name
from cephhci.storage.index import Index
from cephhci.target import Target


class Claim(NamedTuple):
    """What a host needs to claim a disk."""

    me: Identity
    token: str  # unique to this attach
    alive: Callable[[str], bool]  # whether XAPI counts a host as alive


def claimed(entry: Entry, claim: Claim) -> Entry:
    """The entry with this host as its writer; raises DiskUnfinished or DiskHeld. Pure but for ``claim.alive``."""
    if entry.state != READY:
        raise errors.DiskUnfinished(disk=entry.uuid, state=entry.state)
    other = foreign_writer(entry, claim.me)
    if other and other.host != claim.me.host and claim.alive(other.host):
        raise errors.DiskHeld(
            disk=entry.uuid,
            user="host %s" % other.host,
            way_out="Detach it there, or start its VM on that host; if that host is dead, declare it dead first "
            "(xe host-declare-dead)",
        )
    return entry._replace(writer=Writer(claim.me.host, claim.me.boot, claim.token, ()))


def foreign_writer(entry: Entry, me: Identity) -> Optional[Writer]:
    """The writer of a disk, if it is not this boot of this host."""
    writer = entry.writer
    if writer is None or (writer.host == me.host and writer.boot == me.boot):
        return None
    return writer


class Attachment:
    """Maps the disks of one SR on this host, and unmaps them."""

    def __init__(self, target: Target, place: Source, sr: str, mapper: Mapper) -> None:
        self._target = target
        self._place = place
        self._sr = sr
        self._mapper = mapper

    def open(self, cluster: Cluster, pool: Pool, index: Index, disk: str, claim: Claim) -> str:
        """Make the disk a writable device of this host and of no other; returns its stable path. Idempotent.

        Raises DiskHeld, DiskUnfinished, ImageMissing, MappingFailed, and what the cluster raises; then this host
        holds neither the device nor the claim.
        """
        entry = index.entry(disk)
        if entry.snapshot_of:
            raise errors.DiskIsSnapshot(disk=disk, what="be written to")
        known = pool.watchers(entry.image)  # raises before anything changes when the image is gone
        _take(cluster, index, entry, claim)
        try:
            mapping = self._map(entry, read_only=False)
            clients = _clients(mapping, entry, claim.me, known, pool.watchers(entry.image))
            index.update(disk, lambda found: _confirmed(found, claim, clients))
        except errors.Error:
            self.close(disk)
            release(index, disk, claim.me)
            raise
        return self._link(disk, mapping.device)

    def open_read_only(self, entry: Entry) -> str:
        """Make the disk a read-only device; any number of hosts may. Idempotent."""
        if entry.state != READY:
            raise errors.DiskUnfinished(disk=entry.uuid, state=entry.state)
        return self._link(entry.uuid, self._map(entry, read_only=True).device)

    def close(self, disk: str) -> bool:
        """Remove the device; needs no cluster. A disk that is not open is fine.

        Returns whether this host may still hold the disk's claim: False after a device that was read-only.
        """
        mine = [mapping for mapping in self._mapper.mappings() if self._shows(mapping, disk)]
        for mapping in mine:
            self._mapper.unmap(mapping.device)
        link = device_link(self._sr, disk)
        if os.path.islink(link):
            os.unlink(link)
        return not mine or not all(mapping.read_only for mapping in mine)

    def _map(self, entry: Entry, read_only: bool) -> Mapping:
        source = self._place._replace(image=entry.image, snapshot=entry.snap)
        for mapping in self._mapper.mappings():
            if mapping.source == source:
                if mapping.read_only == read_only:
                    return mapping
                self._mapper.unmap(mapping.device)
        return self._mapper.map(self._target, source, read_only)

    def _shows(self, mapping: Mapping, disk: str) -> bool:
        """Whether a device is this disk or snapshot; told from names alone, because the cluster may be gone."""
        source = mapping.source
        if (source.pool, source.namespace) != (self._place.pool, self._place.namespace):
            return False
        return source.snapshot == snapshot_name(disk) or (not source.snapshot and source.image == image_name(disk))

    def _link(self, disk: str, device: str) -> str:
        link = device_link(self._sr, disk)
        os.makedirs(os.path.dirname(link), mode=0o700, exist_ok=True)
        fresh = "%s.new" % link
        if os.path.lexists(fresh):
            os.unlink(fresh)
        os.symlink(device, fresh)
        os.rename(fresh, link)
        return link


def release(index: Index, disk: str, me: Identity) -> None:
    """Give up this host's claim; one that is not there, or is another's, is left alone."""

    def revise(entry: Entry) -> Entry:
        if entry.writer is None or entry.writer.host != me.host:
            return entry
        return entry._replace(writer=None)

    try:
        index.update(disk, revise)
    except errors.DiskMissing:
        pass


def _confirmed(entry: Entry, claim: Claim, clients: Tuple[str, ...]) -> Entry:
    if entry.writer is None or entry.writer.claim != claim.token:
        other = entry.writer.host if entry.writer else "nobody"
        raise errors.DiskHeld(disk=entry.uuid, user="host %s, which took it over" % other, way_out="Try again")
    return entry._replace(writer=entry.writer._replace(clients=clients))


def _take(cluster: Cluster, index: Index, entry: Entry, claim: Claim) -> None:
    """Claim the disk after fencing whoever may still write to it."""
    claimed(entry, claim)
    before = foreign_writer(entry, claim.me)
    # Fencing comes first: if this host dies between the two, the next one still reads whom to fence.
    for client in before.clients if before else ():
        cluster.fence(client)

    def revise(found: Entry) -> Entry:
        if found.writer != entry.writer:
            raise errors.DiskHeld(disk=entry.uuid, user="a host that attached it just now", way_out="Try again")
        return claimed(found, claim)

    index.update(entry.uuid, revise)


def _clients(
    mapping: Mapping, entry: Entry, me: Identity, before: List[str], after: List[str]
) -> Tuple[str, ...]:
    """The Ceph clients to fence should this host die while it holds the disk; rather one too many than none."""
    if mapping.client:
        return (mapping.client,)
    fresh = tuple(client for client in after if client not in before)
    if fresh:
        return fresh
    mine = entry.writer is not None and foreign_writer(entry, me) is None
    return entry.writer.clients if mine and entry.writer and entry.writer.clients else tuple(after)
