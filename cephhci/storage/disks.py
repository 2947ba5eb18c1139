"""Disks and snapshots of an SR: made, changed, deleted.

Order of the durable steps, and what a crash after each of them leaves:

create    1 entry ``creating``   2 image   3 XAPI record   4 entry ``ok``
          after 1 or 2 the disk is taken back, after 3 (a record exists) it is completed
snapshot  as create; step 2 is an RBD snapshot on the disk's image
clone     as create; step 2 is a copy-on-write image of a snapshot. A disk is cloned from a passing snapshot,
          which is named after the clone and removed before step 3
resize    1 ``growing`` in the entry   2 image   3 size in the entry, ``growing`` gone
          after 1 or 2 the entry gets the size that the image has
delete    1 entry ``deleting``   2 XAPI record gone   3 image in the trash   4 entry gone, garbage noted   5 purge
          after any of them the deletion is completed. A disk with snapshots ends in 3 as ``hidden`` instead: its
          image goes with the last snapshot

Taking back is deleting: both end in ``finish_deletion``, which may be repeated at will.
"""

from typing import Callable, ContextManager, Dict, List, NamedTuple

from cephhci import errors
from cephhci.ceph.port import Pool
from cephhci.entry import (
    CREATING,
    DELETING,
    HIDDEN,
    READY,
    Entry,
    Garbage,
    Header,
    disk_key,
    encode,
    garbage_key,
)
from cephhci.layout import LARGEST, disk_of, disk_size, image_name, passing_name, snapshot_name
from cephhci.storage.index import Change, Found, Index
from cephhci.storage.records import Records

# The kernel's client refuses an image with more than 510 snapshots.
MOST_SNAPSHOTS = 400

Pause = Callable[[], ContextManager[None]]


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
            snap="",
            size=size,
            growing=0,
            used=0,
            label=new.label,
            description=new.description,
            type=new.type,
            read_only=new.read_only,
            snapshot_of="",
            snapshot_time="",
            tracked=False,
            parent=(),
            writer=None,
        )
        self._index.change([new.uuid], lambda found: _first(found, entry))
        return self._made(
            entry, lambda: self._pool.create_image(entry.image, size, header.features, header.data_pool)
        )

    def snapshot(self, disk: str, uuid: str, time: str, pause: Pause) -> Entry:
        """Keep the disk's data of this moment as snapshot ``uuid``; ``pause`` settles the writes of its user.

        Raises TooManySnapshots, DiskUnfinished, DiskMissing and what the cluster or XAPI raise.
        """
        origin = self._index.entry(disk)
        if origin.snap:
            return self._copy_snapshot(origin, uuid, time, pause)
        count = len(self._pool.snapshots(origin.image))
        if count >= MOST_SNAPSHOTS:
            raise errors.TooManySnapshots(disk=disk, count=count, limit=MOST_SNAPSHOTS)
        entry = origin._replace(
            uuid=uuid,
            state=CREATING,
            snap=snapshot_name(uuid),
            growing=0,
            used=0,
            read_only=True,
            snapshot_of=disk,
            snapshot_time=time,
            writer=None,
        )
        self._index.change([disk, uuid], lambda found: _derived(found, origin, entry))

        def take() -> None:
            with pause():
                self._pool.create_snapshot(entry.image, entry.snap)

        return self._made(entry, take)

    def clone(self, disk: str, uuid: str, pause: Pause) -> Entry:
        """Make a writable disk ``uuid`` with the data of a disk or snapshot, whatever its size in constant time."""
        origin = self._index.entry(disk)
        return self._cloned(origin, _clone_of(origin, uuid), pause)

    def _copy_snapshot(self, origin: Entry, uuid: str, time: str, pause: Pause) -> Entry:
        """A snapshot of a snapshot is a clone that nobody writes to."""
        entry = _clone_of(origin, uuid)._replace(read_only=True, snapshot_of=origin.uuid, snapshot_time=time)
        return self._cloned(origin, entry, pause)

    def _cloned(self, origin: Entry, entry: Entry, pause: Pause) -> Entry:
        header = self._index.header()
        self._index.change([origin.uuid, entry.uuid], lambda found: _derived(found, origin, entry))
        return self._made(entry, lambda: self._clone_image(entry, origin, header, pause))

    def complete(self, entry: Entry) -> List[Entry]:
        """Finish a creation that got as far as a XAPI record; empty when the disk was taken back meanwhile."""
        self._drop_passing(entry)
        image_id = self._pool.image_id(entry.image)
        try:
            return [self._index.update(entry.uuid, lambda found: _completed(found, image_id))]
        except (errors.DiskMissing, errors.DiskUnfinished):
            return []

    def relabel(self, disk: str, label: str, description: str, time: str) -> None:
        """Keep the names that the administrator gave, and a snapshot's time; raises DiskMissing."""

        def revise(entry: Entry) -> Entry:
            return entry._replace(label=label, description=description, snapshot_time=time)

        self._index.update(disk, revise)

    def resize(self, disk: str, asked: int) -> Entry:
        """Let a disk grow to ``asked`` bytes, rounded up; raises SizeInvalid, NoSpace, DiskUnfinished, DiskMissing."""
        size = self._affordable_size(asked)

        def intend(found: Entry) -> Entry:
            if found.snapshot_of:
                raise errors.DiskIsSnapshot(disk=disk, what="grow")
            if found.state != READY:
                raise errors.DiskUnfinished(disk=disk, state=found.state)
            if size < found.size:
                reason = "it has %d bytes and can only grow" % found.size
                raise errors.SizeInvalid(size=size, reason=reason, limit=LARGEST)
            return found._replace(growing=size)

        entry = self._index.update(disk, intend)
        self._pool.resize_image(entry.image, size)
        return self.finish_resize(entry)

    def finish_resize(self, entry: Entry) -> Entry:
        """Write down the size that the image really has; may be repeated."""
        size = self._pool.image(entry.image).size
        return self._index.update(entry.uuid, lambda found: found._replace(size=size, growing=0))

    def delete(self, disk: str) -> int:
        """Delete a disk or snapshot and return its size; data goes in the background. One that is gone is fine.

        Raises DiskInUse or DiskUnfinished and changes nothing; after any other error a scan completes the deletion.
        """
        try:
            entry = self._mark_deleting(disk)
        except errors.DiskMissing:
            self._records.forget(disk)
            return 0
        self.finish_deletion(entry)
        return entry.size

    def finish_deletion(self, entry: Entry) -> None:
        """Do what remains after ``deleting`` was written; may be repeated."""
        self._records.forget(entry.uuid)
        if entry.snap:
            self._drop_snapshot(entry)
        elif self._carries_snapshots(entry):
            self._index.update(entry.uuid, lambda found: found._replace(state=HIDDEN, writer=None))
        else:
            self._drop_passing(entry)
            self._drop_image(entry)

    def release_hidden(self, disk: str) -> None:
        """Delete the image of a hidden disk if no snapshot is left on it; one that is gone is fine."""
        try:
            entry = self._index.entry(disk)
            if entry.state != HIDDEN or self._carries_snapshots(entry):
                return
            self.finish_deletion(self._index.update(disk, lambda found: found._replace(state=DELETING)))
        except errors.DiskMissing:
            pass

    def purge(self, image_id: str) -> None:
        """Ask the cluster to remove a trashed image; where it cannot now, the next scan asks again."""
        try:
            self._pool.purge(image_id)
        except (errors.CephFailed, errors.ClusterUnreachable, errors.AccessDenied):
            pass  # the garbage record stays until the image is seen to be gone

    def _made(self, entry: Entry, make: Callable[[], None]) -> Entry:
        """Do steps 2 to 4 of a creation, or take the disk back."""
        try:
            make()
            entry = entry._replace(image_id=self._pool.image_id(entry.image))
            self._records.introduce(entry)
            return self._index.update(entry.uuid, lambda found: _completed(found, entry.image_id))
        except errors.ImageExists:
            # Not ours: no entry of this SR ever pointed to it. Leave it, give up only the entry.
            self._drop_passing(entry)
            self._index.change([entry.uuid], lambda found: Change({}, [disk_key(entry.uuid)]))
            raise
        except Exception:
            # Whatever went wrong, XAPI's record included: leave nothing behind, and tell the caller why.
            self._take_back(entry)
            raise

    def _clone_image(self, entry: Entry, origin: Entry, header: Header, pause: Pause) -> None:
        image, snap = entry.parent
        if not origin.snap:
            with pause():
                self._pool.create_snapshot(image, snap)
        self._pool.clone_image(image, snap, entry.image, header.features, header.data_pool)
        self._drop_passing(entry)

    def _mark_deleting(self, disk: str) -> Entry:
        entry = self._index.entry(disk)
        watchers = [] if entry.snap else self._watchers(entry)
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

    def _watchers(self, entry: Entry) -> List[str]:
        try:
            return self._pool.watchers(entry.image)
        except errors.ImageMissing:
            return []

    def _affordable_size(self, asked: int) -> int:
        size = disk_size(asked)
        quota = self._pool.usage().quota
        if quota and size > quota:
            raise errors.NoSpace(
                what="a disk of %d bytes" % size,
                reason="the quota of pool %s is %d bytes" % (self._pool.name, quota),
            )
        return size

    def _carries_snapshots(self, entry: Entry) -> bool:
        try:
            return bool(self._pool.snapshots(entry.image))
        except errors.ImageMissing:
            return False

    def _drop_snapshot(self, entry: Entry) -> None:
        self._remove_snapshot(entry.image, entry.snap)
        self._index.change([entry.uuid], lambda found: Change({}, [disk_key(entry.uuid)]))
        self.release_hidden(disk_of(entry.image))

    def _drop_passing(self, entry: Entry) -> None:
        """Remove the snapshot that lived only for this clone; its data stays as long as the clone needs it."""
        if not entry.parent or entry.parent[1] != passing_name(entry.uuid):
            return
        image, snap = entry.parent
        self._remove_snapshot(image, snap)
        self.release_hidden(disk_of(image))

    def _remove_snapshot(self, image: str, snap: str) -> None:
        try:
            self._pool.remove_snapshot(image, snap)
        except errors.ImageMissing:
            pass

    def _drop_image(self, entry: Entry) -> None:
        image_id = self._trashed_id(entry)
        values: Dict[str, bytes] = {}
        if image_id:
            values[garbage_key(image_id)] = encode(Garbage(image_id, entry.uuid))
        self._index.change([entry.uuid], lambda found: Change(values, [disk_key(entry.uuid)]))
        if image_id:
            self.purge(image_id)

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
            if entry.snap:
                self._remove_snapshot(entry.image, entry.snap)
                self.release_hidden(disk_of(entry.image))
            else:
                self._drop_passing(entry)
                self.purge(self._trashed_id(entry))
        except errors.Error:
            pass  # the cluster is in trouble; the entry tells the next scan what to do


def _first(found: Found, entry: Entry) -> Change:
    if entry.uuid in found:
        raise errors.DiskExists(disk=entry.uuid)
    return Change({disk_key(entry.uuid): encode(entry)})


def _derived(found: Found, origin: Entry, entry: Entry) -> Change:
    """The first step of a snapshot or clone, if its origin is still what it was."""
    now = found.get(origin.uuid)
    if now is None or now.state != READY or now.growing or now.size != origin.size:
        raise errors.DiskUnfinished(disk=origin.uuid, state=now.state if now else "deleted")
    return _first(found, entry)


def _completed(found: Entry, image_id: str) -> Entry:
    if found.state == DELETING:
        raise errors.DiskUnfinished(disk=found.uuid, state=found.state)
    return found._replace(state=READY, image_id=image_id)


def _clone_of(origin: Entry, uuid: str) -> Entry:
    return origin._replace(
        uuid=uuid,
        state=CREATING,
        image=image_name(uuid),
        image_id="",
        snap="",
        growing=0,
        used=0,
        read_only=False,
        snapshot_of="",
        snapshot_time="",
        tracked=False,
        parent=(origin.image, origin.snap or passing_name(uuid)),
        writer=None,
    )
