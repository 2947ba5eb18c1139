"""Fills the SR to a number of disks: real images, real index entries, real records.

What is left is what as many `xe vdi-create` leave: entries are copies of the entry of a disk that the driver made,
and images and records are compared with that disk's. Only the way is shorter: images are made by several processes
side by side, entries are written many at a time, and one scan makes the records.
"""

import uuid
from collections.abc import Iterator, Sequence
from multiprocessing import get_context

from benchmarks.driver import Driver
from benchmarks.programs import Library
from benchmarks.site import Site
from cephhci.ceph.cluster import PATIENT_SECONDS, connect
from cephhci.ceph.port import Pool
from cephhci.clock import Clock
from cephhci.entry import Entry, disk_key, encode
from cephhci.layout import image_name
from cephhci.storage.index import Change, Index
from cephhci.target import Target

SIZE = 1 << 30
LABEL = "filled"
PROCESSES = 8
BATCH = 500  # entries written at once


def fill(site: Site, wanted: int) -> int:
    """Bring the SR to at least ``wanted`` disks; how many it has then."""
    cluster = connect(site.target, PATIENT_SECONDS)
    try:
        pool = cluster.pool(site.config.pool, site.config.namespace)
        index = Index(pool, site.sr_uuid, Clock())
        there = len(index.contents().entries)
        disks = [str(uuid.uuid4()) for _ in range(wanted - there)]
        if disks:
            _make_disks(site, pool, index, disks)
        return max(wanted, there)
    finally:
        cluster.close()


def _make_disks(site: Site, pool: Pool, index: Index, disks: Sequence[str]) -> None:
    driver = Driver(site)
    _, sample = driver.create(SIZE, LABEL)
    try:
        _make_images(site, disks, index.header().features)
        _write_entries(pool, index, disks, index.entry(sample))
        driver.scan()
        made, wanted = (_facts(site, pool, index, disk) for disk in (disks[0], sample))
        if made != wanted:
            raise RuntimeError("a filled disk is not like a created one:\n%s\n%s" % (made, wanted))
    finally:
        driver.delete(sample)


def _make_images(site: Site, disks: Sequence[str], features: Sequence[str]) -> None:
    parts = [(site.target, site.config.pool, list(disks[number::PROCESSES]), features) for number in range(PROCESSES)]
    # "spawn": a fork would inherit librados' locks without its threads
    with get_context("spawn").Pool(PROCESSES) as processes:
        processes.starmap(_make_some_images, parts)


def _make_some_images(target: Target, pool: str, disks: Sequence[str], features: Sequence[str]) -> None:
    library = Library(target, pool)
    for disk in disks:
        library.create(image_name(disk), SIZE, features)
    library.close()


def _write_entries(pool: Pool, index: Index, disks: Sequence[str], sample: Entry) -> None:
    ids = pool.images()
    for batch in _batches(disks):
        values = {disk_key(disk): encode(_like(sample, disk, ids[image_name(disk)])) for disk in batch}
        index.change([batch[0]], lambda found, values=values: Change(values))  # type: ignore[misc]


def _batches(disks: Sequence[str]) -> Iterator[Sequence[str]]:
    for start in range(0, len(disks), BATCH):
        yield disks[start : start + BATCH]


def _like(sample: Entry, disk: str, image_id: str) -> Entry:
    return sample._replace(uuid=disk, image=image_name(disk), image_id=image_id)


def _facts(site: Site, pool: Pool, index: Index, disk: str) -> tuple[object, ...]:
    entry = index.entry(disk)
    image = pool.image(entry.image)
    if (entry.image, entry.image_id) != (image_name(disk), image.id):
        raise RuntimeError("disk %s does not point to its image" % disk)
    record = site.api.VDI.get_record(site.api.VDI.get_by_uuid(disk))
    if record["location"] != disk:
        raise RuntimeError("the record of disk %s has another location" % disk)
    # Two references to nothing: vdi_create is given them as empty texts, a scan as OpaqueRef:NULL.
    own = {"uuid", "location", "metadata_of_pool", "snapshot_of"}
    return (
        entry._replace(uuid="", image="", image_id=""),
        image._replace(id=""),
        {name: value for name, value in record.items() if name not in own},
    )
