"""What a scan puts right: operations that did not end, and images that wait for their removal."""

from typing import Callable, Dict, List, NamedTuple

from cephhci import errors
from cephhci.ceph.port import Pool
from cephhci.entry import CREATING, DELETING, HIDDEN, READY, Contents, Entry, garbage_key
from cephhci.layout import disk_of
from cephhci.storage.disks import Disks
from cephhci.storage.index import Index
from cephhci.storage.records import Records

COMPLETE = "complete"
TAKE_BACK = "take back"
RELEASE = "release"
MEASURE = "measure"


class Repair(NamedTuple):
    """One thing to do about a disk whose operation did not end."""

    action: str
    entry: Entry


def origin_of(repair: Repair) -> str:
    """The disk that an unfinished snapshot or clone may have left paused; empty for anything else."""
    entry = repair.entry
    if entry.snapshot_of:
        return entry.snapshot_of
    return disk_of(entry.parent[0]) if entry.parent else ""


class Scan(NamedTuple):
    """The disks that are there, and those of them whose image is not."""

    entries: List[Entry]
    missing: List[str]
    repaired: List[Repair]


def repairs(contents: Contents, images: Dict[str, str], known: Callable[[str], bool]) -> List[Repair]:
    """Decide, from the intents alone, how every unfinished operation goes on."""
    carrying = {entry.image for entry in contents.entries.values() if entry.snap}
    found: List[Repair] = []
    for entry in contents.entries.values():
        if entry.state == DELETING:
            found.append(Repair(TAKE_BACK, entry))
        elif entry.state == CREATING:
            finished = entry.image in images and known(entry.uuid)
            found.append(Repair(COMPLETE if finished else TAKE_BACK, entry))
        elif entry.state == HIDDEN and entry.image not in carrying:
            found.append(Repair(RELEASE, entry))
        elif entry.state == READY and entry.growing and entry.image in images:
            found.append(Repair(MEASURE, entry))
    return found


def scan(pool: Pool, index: Index, disks: Disks, records: Records) -> Scan:
    """Read the whole SR in a fixed number of round trips and repair what did not end.

    Raises whatever stops it from seeing everything: a part of the SR is never returned. A disk whose image is
    gone is returned and reported, not dropped, because only its record tells the administrator what was there.
    """
    contents = index.contents()
    images = pool.images()
    entries = {uuid: entry for uuid, entry in contents.entries.items() if entry.state == READY}
    repaired = repairs(contents, images, records.known)
    for repair in repaired:
        entries.update({disk.uuid: disk for disk in _repair(repair, index, disks)})
    missing = [uuid for uuid, entry in entries.items() if entry.image not in images]
    _collect(pool, index, disks, contents)
    return Scan(list(entries.values()), missing, repaired)


def _repair(repair: Repair, index: Index, disks: Disks) -> List[Entry]:
    """Do one repair; returns the disk if it is there afterwards."""
    if repair.action == COMPLETE:
        return disks.complete(repair.entry)
    if repair.action == MEASURE:
        return [disks.finish_resize(repair.entry)]
    if repair.action == RELEASE:
        disks.release_hidden(repair.entry.uuid)
        return []
    return _take_back(disks, index, repair.entry)


def _take_back(disks: Disks, index: Index, entry: Entry) -> List[Entry]:
    """Delete a disk, unless its creation ended after the index was read: then it is returned."""
    try:
        marked = index.update(entry.uuid, lambda found: found if found.state == READY else _deleting(found))
    except errors.DiskMissing:
        return []  # its own process finished the deletion
    if marked.state == READY:
        return [marked]
    disks.finish_deletion(marked)
    return []


def _deleting(entry: Entry) -> Entry:
    return entry._replace(state=DELETING)


def _collect(pool: Pool, index: Index, disks: Disks, contents: Contents) -> None:
    """Ask again for the removal of trashed images, and forget those that are gone."""
    if not contents.garbage:
        return
    trash = pool.trash()
    gone = [garbage_key(item.image_id) for item in contents.garbage if item.image_id not in trash]
    for item in contents.garbage:
        if item.image_id in trash:
            disks.purge(item.image_id)
    if gone:
        index.drop_garbage(gone)
