"""What a disk holds, and what may be done with it: made into an OSD, started, or left alone.

Looking only reads. The decision is pure; a disk is never given to Ceph unless it reads as empty.
"""

import errno
import os
import stat
from typing import List, NamedTuple, Optional

from cephhci.errors import CommandFailed
from cephhci.node.errors import DiskMissing, DiskRefused
from cephhci.node.tools import Tools

MIB = 1024 * 1024
MINIMUM_SIZE = 1024 * MIB
HEAD = 16 * MIB  # partition tables, LVM, superblocks of file systems
TAIL = 4 * MIB  # backup GPT, md and ZFS labels
LABEL_SIZE = 4096
# Since Squid BlueStore keeps copies of its label here; a disk that lost the first one is not an empty disk.
LABEL_COPIES = (1024 * MIB, 10 * 1024 * MIB, 100 * 1024 * MIB, 1000 * 1024 * MIB)
BLUESTORE_MAGIC = b"bluestore block device\n"

MAKE, RESUME, START = "make", "resume", "start"
WIPE = (
    "Name another disk, or, if its data may be lost, run `wipefs --all {path}` and overwrite its first and"
    " last 16 MiB (and the offset named here, if any) with zeros"
)


class Label(NamedTuple):
    """A BlueStore label; the cluster's ``fsid`` and ``osd`` are None until the store is complete."""

    uuid: str
    fsid: Optional[str]
    osd: Optional[int]
    ready: bool


class Facts(NamedTuple):
    """``content``: what else than a label was found, in words; empty for a disk that reads as empty."""

    size: int
    busy: bool
    label: Optional[Label]
    content: str


def decide(path: str, facts: Facts, fsid: str, intended: Optional[str], wanted: Optional[str]) -> str:
    """MAKE, RESUME or START, or raises DiskRefused.

    ``intended``: uuid of the OSD that was begun on this disk; ``wanted``: uuid that the document demands.
    """
    label = facts.label
    if label is None:
        return _decide_unlabelled(path, facts)
    if wanted and label.uuid != wanted:
        raise _refused(path, "holds the OSD with uuid %s, the document wants %s" % (label.uuid, wanted))
    if label.fsid and label.fsid != fsid:
        raise _refused(path, "belongs to OSD %s of the Ceph cluster %s" % (label.osd, label.fsid))
    if label.ready and label.fsid and label.osd is not None:
        return START
    if label.uuid == intended:
        return RESUME
    raise _refused(path, "holds a half-made OSD (uuid %s) that this node did not begin" % label.uuid)


def _decide_unlabelled(path: str, facts: Facts) -> str:
    if facts.content:
        raise _refused(path, "is not empty (%s)" % facts.content)
    if facts.size < MINIMUM_SIZE:
        raise DiskRefused(
            path=path,
            reason="is too small for an OSD (%d MiB)" % (facts.size // MIB),
            way_out="Name a disk of at least %d MiB" % (MINIMUM_SIZE // MIB),
        )
    if facts.busy:
        raise DiskRefused(
            path=path,
            reason="is in use by the kernel (mounted, or part of LVM, md or a mapping)",
            way_out="Release it, or name another disk",
        )
    return MAKE


def _refused(path: str, reason: str) -> DiskRefused:
    return DiskRefused(path=path, reason=reason, way_out=WIPE.format(path=path))


def examine(path: str, tools: Tools) -> Facts:
    """Look at the block device or regular file. Raises DiskMissing, and DiskRefused for anything else."""
    try:
        mode = os.stat(path).st_mode
        if not stat.S_ISBLK(mode) and not stat.S_ISREG(mode):
            raise DiskRefused(path=path, reason="is neither a block device nor a file", way_out="Correct the document")
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            size = os.lseek(descriptor, 0, os.SEEK_END)
            if os.pread(descriptor, len(BLUESTORE_MAGIC), 0) == BLUESTORE_MAGIC:
                return _labelled(path, size, tools)
            where = _first_data(descriptor, size)
        finally:
            os.close(descriptor)
        busy = stat.S_ISBLK(mode) and _is_claimed(path)
    except OSError as error:
        raise DiskMissing(path=path, reason=error.strerror) from error
    signature = tools.signature(path)
    if signature or where is not None:
        return Facts(size, busy, None, signature or "data at offset %d" % (where or 0))
    return Facts(size, busy, None, "")


def _labelled(path: str, size: int, tools: Tools) -> Facts:
    try:
        fields = tools.show_label(path)
        osd = fields.get("whoami")
        label = Label(
            uuid=fields["osd_uuid"],
            fsid=fields.get("ceph_fsid"),
            osd=None if osd is None else int(osd),
            ready=fields.get("ready") == "ready" and fields.get("mkfs_done") == "yes",
        )
    except (CommandFailed, KeyError, ValueError) as error:
        raise _refused(path, "carries a BlueStore label that cannot be read") from error
    return Facts(size, False, label, "")


def erase(path: str) -> None:
    """Make a disk with a half-made OSD read as empty.

    Its label goes last: whoever is interrupted here leaves a half-made OSD again, not a disk with unknown data.
    """
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
    except OSError as error:
        raise DiskMissing(path=path, reason=error.strerror) from error
    try:
        size = os.lseek(descriptor, 0, os.SEEK_END)
        for start in _places(size):
            first = max(start, LABEL_SIZE)
            os.pwrite(descriptor, b"\0" * (min(start + MIB, size) - first), first)
        os.fsync(descriptor)
        os.pwrite(descriptor, b"\0" * LABEL_SIZE, 0)
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _places(size: int) -> List[int]:
    """Offsets of the pieces of 1 MiB in which data shows itself, in ascending order from 0."""
    starts = list(range(0, min(size, HEAD), MIB))
    starts += [offset for offset in LABEL_COPIES if offset < size]
    return starts + list(range(max(0, size - TAIL), size, MIB))


def _first_data(descriptor: int, size: int) -> Optional[int]:
    """Offset of the first of these pieces with a byte that is not zero."""
    for start in _places(size):
        piece = os.pread(descriptor, MIB, start)
        if piece.count(b"\0") != len(piece):
            return start
    return None


def _is_claimed(path: str) -> bool:
    """Whether a file system, LVM, md or the like holds the block device (open(2), O_EXCL)."""
    try:
        os.close(os.open(path, os.O_RDONLY | os.O_EXCL | os.O_CLOEXEC))
    except OSError as error:
        if error.errno == errno.EBUSY:
            return True
        raise
    return False
