"""The index of an SR: one RADOS object whose omap says what every disk is.

Protocol. The object has one name per pool and namespace and is created exclusively, so a place carries one SR.
Every change is one write operation that the cluster applies only if the object still has the version that the
change was decided on; who loses reads again and decides anew. Nothing is locked, so nobody can die holding a
lock. A change of several steps writes its intent (the ``state`` of an entry) before the first step and clears it
with the last; ``recovery`` knows from the intent alone how to go on.
"""

import random
from typing import Callable, Dict, NamedTuple, Optional, Sequence

from cephhci import errors
from cephhci.ceph.port import Pool, Stamped
from cephhci.clock import Clock
from cephhci.entry import (
    HEADER_KEY,
    Contents,
    Entry,
    Header,
    decode_entry,
    decode_header,
    disk_key,
    encode,
    read_contents,
)
from cephhci.layout import INDEX_OBJECT, place

TRIES = 30
LONGEST_PAUSE = 0.1  # seconds between two tries


class Change(NamedTuple):
    """Values to set and keys to remove, together or not at all."""

    values: Dict[str, bytes]
    remove: Sequence[str] = ()


Found = Dict[str, Entry]  # by uuid, those of the asked ones that exist


class Index:
    """The index of SR ``sr`` in a pool."""

    def __init__(self, pool: Pool, sr: str, clock: Clock) -> None:
        self._pool = pool
        self._sr = sr
        self._clock = clock

    def create(self, header: Header) -> None:
        """Claim the place for the SR; raises SrExists when it carries another one. Idempotent while it is empty."""
        try:
            self._pool.create_object(INDEX_OBJECT, {HEADER_KEY: encode(header)})
        except errors.ObjectExists as error:
            contents = self._read_all()
            if contents.header != header or contents.entries or contents.garbage:
                raise self._occupied(contents.header) from error

    def header(self) -> Header:
        """Facts about the SR; raises SrMissing."""
        return self._checked_header(self._read([HEADER_KEY]).values)

    def contents(self) -> Contents:
        """Everything, as of one moment; raises SrMissing, IndexDamaged or SchemaUnknown, never a part."""
        contents = self._read_all()
        if contents.header.sr != self._sr:
            raise self._absent(contents.header)
        return contents

    def entry(self, disk: str) -> Entry:
        """One disk; raises DiskMissing."""
        values = self._read([HEADER_KEY, disk_key(disk)]).values
        self._checked_header(values)
        return self._present(_entries_of(values, [disk]), disk)

    def change(self, disks: Sequence[str], decide: Callable[[Found], Change]) -> None:
        """Change what concerns a few disks: ``decide`` gets their entries, and may raise to leave all as it is."""
        for _ in range(TRIES):
            read = self._read([HEADER_KEY] + [disk_key(disk) for disk in disks])
            self._checked_header(read.values)
            change = decide(_entries_of(read.values, disks))
            try:
                self._pool.write_keys(INDEX_OBJECT, read.version, change.values, change.remove)
                return
            except errors.Stale:
                self._clock.sleep(random.uniform(0, LONGEST_PAUSE))
        raise errors.Contention(sr=self._sr, times=TRIES)

    def update(self, disk: str, revise: Callable[[Entry], Entry]) -> Entry:
        """Replace the entry of a disk by what ``revise`` makes of it and return that; raises DiskMissing."""
        revised = []

        def decide(found: Found) -> Change:
            revised.append(revise(self._present(found, disk)))
            return Change({disk_key(disk): encode(revised[-1])})

        self.change([disk], decide)
        return revised[-1]

    def drop_garbage(self, keys: Sequence[str]) -> None:
        """Forget images that are gone from the trash."""
        self.change([], lambda found: Change({}, keys))

    def remove(self) -> None:
        """Give the place back; raises SrNotEmpty while disks are in the index. Idempotent."""
        try:
            read = self._pool.read_all(INDEX_OBJECT)
        except errors.ObjectMissing:
            return
        contents = read_contents(read.values)
        if contents.header.sr != self._sr:
            raise self._absent(contents.header)
        if contents.entries:
            raise errors.SrNotEmpty(sr=self._sr, count=len(contents.entries))
        self._pool.remove_object(INDEX_OBJECT, read.version)

    def _read_all(self) -> Contents:
        try:
            return read_contents(self._pool.read_all(INDEX_OBJECT).values)
        except errors.ObjectMissing as error:
            raise self._absent(None) from error

    def _read(self, keys: Sequence[str]) -> Stamped:
        try:
            return self._pool.read_keys(INDEX_OBJECT, keys)
        except errors.ObjectMissing as error:
            raise self._absent(None) from error

    def _checked_header(self, values: Dict[str, bytes]) -> Header:
        if HEADER_KEY not in values:
            raise errors.IndexDamaged(key=HEADER_KEY, reason="it is missing")
        header = decode_header(values[HEADER_KEY])
        if header.sr != self._sr:
            raise self._absent(header)
        return header

    def _present(self, found: Found, disk: str) -> Entry:
        if disk not in found:
            raise errors.DiskMissing(sr=self._sr, disk=disk)
        return found[disk]

    def _place(self) -> str:
        return place(self._pool.name, self._pool.namespace)

    def _occupied(self, header: Header) -> errors.SrExists:
        return errors.SrExists(place=self._place(), existing=header.sr)

    def _absent(self, header: Optional[Header]) -> errors.SrMissing:
        way_out = "It carries SR %s" % header.sr if header else "It carries none; check pool and namespace"
        return errors.SrMissing(place=self._place(), sr=self._sr, way_out=way_out)


def _entries_of(values: Dict[str, bytes], disks: Sequence[str]) -> Found:
    keys = [(disk, disk_key(disk)) for disk in disks]
    return {disk: decode_entry(key, values[key]) for disk, key in keys if key in values}
