"""Disks of an SR: create, change, delete.

Order of the durable steps, and what a crash after each of them leaves:

create   1 entry ``creating``   2 image   3 XAPI record   4 entry ``ok``
         after 1 or 2 the disk is taken back, after 3 (a record exists) it is completed
delete   1 entry ``deleting``   2 XAPI record gone   3 image in the trash   4 entry gone, garbage noted   5 purge
         after any of them the deletion is completed

Taking back is deleting: both end in ``finish_deletion``, which may be repeated at will.
"""

from typing import Dict, List, NamedTuple, Optional

from cephhci import errors
from cephhci.ceph.port import Pool
from cephhci.entry import (
    CREATING,
    DELETING,
    READY,
    Entry,
    Garbage,
    disk_key,
    encode,
    garbage_key,
)
from cephhci.layout import disk_size, image_name
from cephhci.storage.index import Change, Index
from cephhci.storage.records import Records


class NewDisk(NamedTuple):
    """What is asked for; ``size`` in bytes, rounded up by the SR."""

    uuid: str
    size: int
    label: str
    description: str
    type: str
    read_only: bool


class Disks:
    """The disks of the SR whose index is ``index``."""

    def __init__(self, pool: Pool, index: Index, records: Records) -> None:
        self._pool = pool
        self._index = index
        self._records = records

    def create(self, new: NewDisk) -> Entry:
        """Make an empty disk and its XAPI record.

        Raises SizeInvalid, NoSpace, DiskExists, and what the cluster or XAPI raise; then nothing is left of the
        disk, or a scan takes it back.
        """
        size = self._affordable_size(new.size)
        header = self._index.header()
        entry = Entry(
            uuid=new.uuid,
            state=CREATING,
            image=image_name(new.uuid),
            image_id="",
            size=size,
            used=0,
            label=new.label,
            description=new.description,
            type=new.type,
            read_only=new.read_only,
            writer=None,
        )
        self._index.change(new.uuid, lambda found: _first(found, entry))
        try:
            self._pool.create_image(entry.image, size, header.features, header.data_pool)
            entry = entry._replace(image_id=self._pool.image_id(entry.image))
            self._records.introduce(entry)
            return self._index.update(new.uuid, lambda found: _completed(found, entry.image_id, size))
        except errors.ImageExists:
            # Not ours: no entry of this SR ever pointed to it. Leave it, give up only the entry.
            self._index.change(new.uuid, lambda found: Change({}, [disk_key(new.uuid)]))
            raise
        except Exception:
            # Whatever went wrong, XAPI's record included: leave nothing behind, and tell the caller why.
            self._take_back(entry)
            raise

    def complete(self, entry: Entry) -> List[Entry]:
        """Finish a creation that got as far as a XAPI record; empty when the disk was taken back meanwhile."""
        facts = self._pool.image(entry.image)
        try:
            return [self._index.update(entry.uuid, lambda found: _completed(found, facts.id, facts.size))]
        except (errors.DiskMissing, errors.DiskUnfinished):
            return []

    def relabel(self, disk: str, label: str, description: str) -> None:
        """Keep the names that the administrator gave; raises DiskMissing."""
        self._index.update(disk, lambda entry: entry._replace(label=label, description=description))

    def delete(self, disk: str) -> int:
        """Delete a disk and return its size; its data goes in the background. A disk that is gone already is fine.

        Raises DiskInUse or DiskUnfinished and changes nothing; after any other error a scan completes the deletion.
        """
        try:
            entry = self._mark_deleting(disk)
        except errors.DiskMissing:
            self._records.forget(disk)
            return 0
        self.finish_deletion(entry)
        return entry.size

    def _mark_deleting(self, disk: str) -> Entry:
        entry = self._index.entry(disk)
        try:
            watchers = self._pool.watchers(entry.image)
        except errors.ImageMissing:
            watchers = []
        if watchers:
            raise errors.DiskInUse(
                disk=disk,
                user="Ceph client %s" % ", ".join(watchers),
                way_out="Shut down what uses it; see `rbd status` of image %s" % entry.image,
            )
        seen = entry.writer

        def revise(found: Entry) -> Entry:
            if found.state == CREATING:
                raise errors.DiskUnfinished(disk=disk, state=found.state)
            if found.writer != seen:
                raise errors.DiskInUse(disk=disk, user="a host that attached it just now", way_out="Detach it first")
            return found._replace(state=DELETING)

        return self._index.update(disk, revise)

    def finish_deletion(self, entry: Entry) -> None:
        """Do what remains after ``deleting`` was written; may be repeated."""
        self._records.forget(entry.uuid)
        image_id = self._trashed_id(entry)
        values: Dict[str, bytes] = {}
        if image_id:
            values[garbage_key(image_id)] = encode(Garbage(image_id, entry.uuid))
        self._index.change(entry.uuid, lambda found: Change(values, [disk_key(entry.uuid)]))
        if image_id:
            self.purge(image_id)

    def purge(self, image_id: str) -> None:
        """Ask the cluster to remove a trashed image; where it cannot now, the next scan asks again."""
        try:
            self._pool.purge(image_id)
        except (errors.CephFailed, errors.ClusterUnreachable, errors.AccessDenied):
            pass  # the garbage record stays until the image is seen to be gone

    def _affordable_size(self, asked: int) -> int:
        size = disk_size(asked)
        quota = self._pool.usage().quota
        if quota and size > quota:
            raise errors.NoSpace(
                what="a disk of %d bytes" % size,
                reason="the quota of pool %s is %d bytes" % (self._pool.name, quota),
            )
        return size

    def _trashed_id(self, entry: Entry) -> str:
        try:
            image_id = self._pool.image_id(entry.image)
            if entry.image_id and image_id != entry.image_id:
                return ""  # another image took the name; it is not ours to delete
            self._pool.trash_image(entry.image)
            return image_id
        except errors.ImageMissing:
            if entry.image_id:
                return entry.image_id
            return next((id for id, name in self._pool.trash().items() if name == entry.image), "")

    def _take_back(self, entry: Entry) -> None:
        try:
            self._index.update(entry.uuid, lambda found: found._replace(state=DELETING))
            self.finish_deletion(entry)
        except errors.DiskMissing:
            # A scan took the entry back meanwhile, perhaps before the image existed.
            self._records.forget(entry.uuid)
            self.purge(self._trashed_id(entry))
        except errors.Error:
            pass  # the cluster is in trouble; the entry tells the next scan what to do


def _first(found: Optional[Entry], entry: Entry) -> Change:
    if found is not None:
        raise errors.DiskExists(sr="", disk=entry.uuid)
    return Change({disk_key(entry.uuid): encode(entry)})


def _completed(found: Entry, image_id: str, size: int) -> Entry:
    if found.state == DELETING:
        raise errors.DiskUnfinished(disk=found.uuid, state=found.state)
    return found._replace(state=READY, image_id=image_id, size=size)
