"""What the index of an SR says: its header, its disks and the images still to be removed; pure.

Every value is a JSON object with a ``v`` (format). Fields that this version does not know are refused, not
dropped: an older host must never rewrite what a newer one wrote.
"""

import json
from typing import Dict, List, NamedTuple, Optional, Tuple, Type, TypeVar

from cephhci.errors import IndexDamaged, SchemaUnknown

FORMAT = 1
HEADER_KEY = "sr"
DISK_KEY = "vdi."
GARBAGE_KEY = "gc."

CREATING = "creating"  # the image may not exist yet; without a XAPI record the disk is taken back
READY = "ok"
HIDDEN = "hidden"  # deleted, but its image still carries snapshots of it
DELETING = "deleting"  # no way back: a scan finishes the deletion
STATES = (CREATING, READY, HIDDEN, DELETING)


class Header(NamedTuple):
    """Facts about the SR that never change after its creation."""

    sr: str
    features: Tuple[str, ...]  # of every image that is created
    data_pool: str


class Writer(NamedTuple):
    """The host that may write to a disk, and the Ceph clients through which it may."""

    host: str
    boot: str
    claim: str  # made anew for every attach
    clients: Tuple[str, ...]  # as `ceph osd blocklist` names them; empty until the device is mapped


class Entry(NamedTuple):
    """One disk, or one snapshot of a disk."""

    uuid: str
    state: str
    image: str  # of a snapshot: the image that carries it
    image_id: str  # empty until the image exists
    snap: str  # name of the RBD snapshot that this is; empty for a disk
    size: int  # bytes
    growing: int  # bytes that a resize which has not ended asked for; else 0
    used: int  # bytes
    label: str
    description: str
    type: str
    read_only: bool
    snapshot_of: str  # uuid of the disk that this is a snapshot of, else empty
    snapshot_time: str  # as XAPI writes it, else empty
    tracked: bool  # whether changed blocks may be asked for from here on
    parent: Tuple[str, ...]  # of a clone: image and snapshot that it was made from, else nothing
    writer: Optional[Writer]


class Garbage(NamedTuple):
    """An image in the trash that is still to be removed."""

    image_id: str
    disk: str


Record = TypeVar("Record", Header, Entry, Garbage)


def disk_key(uuid: str) -> str:
    """Key of a disk's entry."""
    return DISK_KEY + uuid


def garbage_key(image_id: str) -> str:
    """Key of an image that waits for its removal."""
    return GARBAGE_KEY + image_id


def encode(record: Record) -> bytes:
    """The value to store for ``record``."""
    fields = dict(record._asdict(), v=FORMAT)
    if isinstance(record, Entry):
        fields["writer"] = None if record.writer is None else list(record.writer)
    return json.dumps(fields, separators=(",", ":"), sort_keys=True).encode("ascii")


def decode_header(value: bytes) -> Header:
    """Read a header; raises SchemaUnknown or IndexDamaged."""
    header = _decode(HEADER_KEY, value, Header)
    return header._replace(features=tuple(header.features))


def decode_entry(key: str, value: bytes) -> Entry:
    """Read a disk's entry; raises SchemaUnknown or IndexDamaged."""
    entry = _decode(key, value, Entry)
    if entry.state not in STATES or disk_key(entry.uuid) != key:
        raise IndexDamaged(key=key, reason="state or uuid is wrong")
    entry = entry._replace(parent=tuple(entry.parent))
    if entry.writer is None:
        return entry
    try:
        host, boot, claim, clients = entry.writer
        return entry._replace(writer=Writer(host, boot, claim, tuple(clients)))
    except (TypeError, ValueError) as error:
        raise IndexDamaged(key=key, reason=str(error)) from error


def decode_garbage(key: str, value: bytes) -> Garbage:
    """Read a garbage record; raises SchemaUnknown or IndexDamaged."""
    return _decode(key, value, Garbage)


def _decode(key: str, value: bytes, kind: Type[Record]) -> Record:
    try:
        fields: Dict[str, object] = json.loads(value.decode("utf-8"))
        found = fields.pop("v")
    except (ValueError, KeyError, AttributeError, TypeError) as error:
        raise IndexDamaged(key=key, reason=str(error)) from error
    if found != FORMAT:
        raise SchemaUnknown(what="entry %s" % key, found=found, known=FORMAT)
    try:
        return kind(**fields)  # type: ignore[arg-type]
    except TypeError as error:
        raise IndexDamaged(key=key, reason=str(error)) from error


class Contents(NamedTuple):
    """A whole index, as it was at one moment."""

    header: Header
    entries: Dict[str, Entry]  # by uuid
    garbage: List[Garbage]


def read_contents(values: Dict[str, bytes]) -> Contents:
    """Sort the keys of an index object; raises IndexDamaged or SchemaUnknown at the first that cannot be read."""
    if HEADER_KEY not in values:
        raise IndexDamaged(key=HEADER_KEY, reason="it is missing")
    entries: Dict[str, Entry] = {}
    garbage: List[Garbage] = []
    for key, value in values.items():
        if key.startswith(DISK_KEY):
            entry = decode_entry(key, value)
            entries[entry.uuid] = entry
        elif key.startswith(GARBAGE_KEY):
            garbage.append(decode_garbage(key, value))
        elif key != HEADER_KEY:
            raise SchemaUnknown(what="the SR's index", found="an entry %s" % ascii(key), known=FORMAT)
    return Contents(decode_header(values[HEADER_KEY]), entries, garbage)
