"""What a scan has to change in the pool's database; pure.

At 10,000 disks comparing every record costs more than reading our index, and clients scan every 30 seconds. So a
scan leaves a mark on the SR: a digest of what the records should say and of which records there are. While both
are the same, nothing has to be read or compared.
"""

import hashlib
from typing import Collection, Dict, Iterable, List, Mapping, NamedTuple, Tuple

from cephhci.entry import Entry


class Row(NamedTuple):
    """A VDI record, as far as it follows the storage."""

    ref: str
    uuid: str
    location: str
    size: int
    used: int
    read_only: bool
    missing: bool
    tracked: bool


class Plan(NamedTuple):
    """Records to make, to bring up to date, and to remove."""

    introduce: List[Entry]
    update: List[Tuple[str, Entry, bool]]  # reference, disk, whether its image is missing
    forget: List[Row]


def plan(entries: Iterable[Entry], missing: Collection[str], rows: Iterable[Row]) -> Plan:
    """Compare the disks with the records; a record belongs to the disk that its location names."""
    by_location = {row.location: row for row in rows}
    introduce: List[Entry] = []
    update: List[Tuple[str, Entry, bool]] = []
    for entry in entries:
        row = by_location.pop(entry.uuid, None)
        lost = entry.uuid in missing
        if row is None:
            introduce.append(entry)
        elif row[3:] != (entry.size, entry.used, entry.read_only, lost, entry.tracked):
            update.append((row.ref, entry, lost))
    # A snapshot's record names its disk's, which has to be there first.
    introduce.sort(key=lambda entry: bool(entry.snapshot_of))
    return Plan(introduce, update, list(by_location.values()))


def mark(entries: Iterable[Entry], missing: Collection[str], refs: Iterable[str]) -> str:
    """The digest to keep; equal marks mean that ``plan`` would find nothing to do."""
    digest = hashlib.sha256()
    for entry in sorted(entries, key=lambda entry: entry.uuid):
        facts = (entry.uuid, entry.size, entry.used, entry.read_only, entry.uuid in missing, entry.tracked)
        digest.update(("%s %d %d %d %d %d\n" % facts).encode("ascii"))
    for ref in sorted(refs):
        digest.update(ref.encode("ascii"))
    return digest.hexdigest()


def row_of(ref: str, record: Mapping[str, object]) -> Row:
    """A Row from a record as JSON-RPC (numbers) or XML-RPC (numbers as text) returns it."""
    return Row(
        ref=ref,
        uuid=str(record["uuid"]),
        location=str(record["location"]),
        size=int(str(record["virtual_size"])),
        used=int(str(record["physical_utilisation"])),
        read_only=bool(record["read_only"]),
        missing=bool(record["missing"]),
        tracked=bool(record["cbt_enabled"]),
    )


def rows_of(records: Mapping[str, Dict[str, object]]) -> List[Row]:
    """Rows of a whole SR."""
    return [row_of(ref, record) for ref, record in records.items()]
