"""Names and sizes of an SR inside a Ceph pool; pure."""

from cephhci.errors import SizeInvalid

INDEX_OBJECT = "hci.sr"  # one constant name, so that creating it exclusively allows one SR per pool and namespace
IMAGE_PREFIX = "vdi-"
SNAPSHOT_PREFIX = "snap-"
PASSING_PREFIX = "tmp-"  # a snapshot that lives only while a clone of a disk is made
LINKS = "/run/ceph-sr"

# Changed-block bitmaps are read in words of 2 MiB, storage motion compares sizes exactly, and RBD objects are
# 4 MiB: a multiple of 4 MiB suits all three.
GRAIN = 4 * 1024 * 1024
LARGEST = 1 << 50  # bytes; 1 PiB keeps an object map within what librbd allows


def image_name(disk: str) -> str:
    """Name of the RBD image behind disk ``disk``, given once and never changed."""
    return IMAGE_PREFIX + disk


def disk_of(image: str) -> str:
    """The disk whose image this is."""
    return image[len(IMAGE_PREFIX) :]


def snapshot_name(snapshot: str) -> str:
    """Name of the RBD snapshot behind snapshot ``snapshot``."""
    return SNAPSHOT_PREFIX + snapshot


def passing_name(clone: str) -> str:
    """Name of the RBD snapshot from which disk ``clone`` is cloned when its origin is a disk."""
    return PASSING_PREFIX + clone


def disk_size(asked: int) -> int:
    """Bytes that a disk of ``asked`` bytes really gets: the next multiple of 4 MiB; raises SizeInvalid."""
    if asked <= 0:
        raise SizeInvalid(size=asked, reason="it must be positive", limit=LARGEST)
    if asked > LARGEST:
        raise SizeInvalid(size=asked, reason="it is too large", limit=LARGEST)
    return (asked + GRAIN - 1) // GRAIN * GRAIN


def device_link(sr: str, disk: str) -> str:
    """Path under which SM knows the disk on every host, whatever device stands behind it."""
    return "%s/%s/%s" % (LINKS, sr, disk)


def place(pool: str, namespace: str) -> str:
    """The way the rbd command names a pool and the namespace in it."""
    return "%s/%s" % (pool, namespace) if namespace else pool
