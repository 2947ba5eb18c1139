"""Which blocks changed between two snapshots of a disk, or between a snapshot and the disk.

RBD compares in two ways: by whole objects, which an object map answers at once, or exactly, which looks at every
object of the range. So the first says where to look, and the second looks there, unless so much changed that a full
look would take longer than copying what is named too much.
"""

from typing import List

from cephhci import errors
from cephhci.bitmap import Extent, encode, merged
from cephhci.ceph.port import Pool
from cephhci.entry import READY, Entry
from cephhci.layout import GRAIN
from cephhci.storage.index import Index

# Objects looked at one by one, each about 0.1 ms; 16 GiB of changes in objects of 4 MiB.
MOST_OBJECTS = 4096


def track(index: Index, disk: str, tracked: bool) -> None:
    """Start or stop allowing questions about changes; idempotent. Raises DiskMissing or DiskUnfinished."""

    def revise(found: Entry) -> Entry:
        if found.snapshot_of:
            raise errors.DiskIsSnapshot(disk=disk, what="be tracked")
        if found.state != READY:
            raise errors.DiskUnfinished(disk=disk, state=found.state)
        return found._replace(tracked=tracked)

    index.update(disk, revise)


def bitmap(pool: Pool, index: Index, since: str, until: str) -> str:
    """Changed blocks of disk ``until`` against snapshot ``since``, as XAPI passes them on.

    More may be named than what changed, never less: where that cannot be had, raises ChangesUnknown.
    """
    older, newer = index.entry(since), index.entry(until)
    reason = unknown(older, newer, list(pool.snapshots(newer.image)) if older.image == newer.image else [])
    if reason:
        raise errors.ChangesUnknown(since=since, until=until, reason=reason)
    extents = refined(pool, older, newer)
    if newer.size > older.size:
        extents.append((older.size, newer.size - older.size))
    return encode(newer.size, extents)


def unknown(older: Entry, newer: Entry, snapshots: List[str]) -> str:
    """Why the changes cannot be told; empty when they can. ``snapshots`` of the image, oldest first. Pure."""
    if not older.tracked or not newer.tracked:
        return "changed blocks were not tracked on both"
    if older.uuid == newer.uuid:
        return "they are the same"
    if older.image != newer.image:
        return "they do not descend from one another"
    if older.snap not in snapshots or (newer.snap and newer.snap not in snapshots):
        return "the first is no snapshot of the second"
    if newer.snap and snapshots.index(older.snap) > snapshots.index(newer.snap):
        return "the first is newer than the second"
    return ""


def refined(pool: Pool, older: Entry, newer: Entry) -> List[Extent]:
    """The extents that changed, exact where there are not too many."""
    coarse = merged(pool.changes(newer.image, older.snap, newer.snap, 0, newer.size, True))
    if sum(length for _, length in coarse) > MOST_OBJECTS * GRAIN:
        return coarse
    exact: List[Extent] = []
    for offset, length in coarse:
        exact += pool.changes(newer.image, older.snap, newer.snap, offset, min(length, newer.size - offset), False)
    return exact
