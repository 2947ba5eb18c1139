"""vdi_create and vdi_delete beside the rbd command, and beside what cannot be avoided: the floor and the library."""

import uuid
from collections.abc import Iterator

from benchmarks import fill, profile
from benchmarks.driver import Driver
from benchmarks.measure import Side, Spent, medians
from benchmarks.programs import FLOOR, SM_FLOOR, Library, floor, rbd_command, sm_floor
from benchmarks.rows import Row, compared
from benchmarks.site import Site
from cephhci.host import external

DISKS = 100  # in the SR meanwhile
ROUNDS = 15
PREFIX = "bench-"


def measure(site: Site, benches: list[str], with_profile: bool) -> Iterator[Row]:
    """Rows of ``create`` and ``delete``, measured together: what one side makes, its counterpart deletes."""
    n = fill.fill(site, DISKS)
    library = Library(site.target, site.config.pool)
    try:
        sides = {
            **_driver_sides(Driver(site)),
            **_rbd_sides(site),
            **_library_sides(site, library),
            FLOOR: floor(site),
            SM_FLOOR: sm_floor(site),
        }
        found = medians(sides, ROUNDS)
        library.empty_trash(PREFIX)
    finally:
        library.close()
    pairs = {"create": ("rbd create", "librbd create"), "delete": ("rbd trash mv", "librbd trash move")}
    for bench in benches:
        command, call = pairs[bench]
        value = found["vdi_" + bench]
        yield from compared(bench, n, value, command, found[command])
        if bench == "delete":
            yield from compared(bench, n, value, "rbd rm", found["rbd rm"])
        for floor_name in (FLOOR, SM_FLOOR):
            yield from compared(bench, n, value, floor_name, found[floor_name])
            yield from compared(bench, n, value, "%s + %s" % (floor_name, call), found[floor_name] + found[call])
    if with_profile:
        yield from _parts(Driver(site), benches, n)


def _parts(driver: Driver, benches: list[str], n: int) -> Iterator[Row]:
    if "create" in benches:
        yield from profile.parts(driver, "create", n, lambda: driver.create_argument(fill.SIZE, fill.LABEL))
    if "delete" in benches:
        yield from profile.parts(driver, "delete", n, lambda: _deletion(driver))


def _deletion(driver: Driver) -> str:
    _, disk = driver.create(fill.SIZE, fill.LABEL)
    return driver.delete_argument(disk)


def _driver_sides(driver: Driver) -> dict[str, Side]:
    made: list[str] = []

    def create() -> Spent:
        spent, disk = driver.create(fill.SIZE, fill.LABEL)
        made.append(disk)
        return spent

    return {"vdi_create": create, "vdi_delete": lambda: driver.delete(made.pop())}


def _rbd_sides(site: Site) -> dict[str, Side]:
    kept: list[str] = []  # made by "rbd create", for "rbd rm"

    def create() -> Spent:
        kept.append(PREFIX + str(uuid.uuid4()))
        return rbd_command(site, "create", "--size", "%dB" % fill.SIZE, kept[-1])()

    def trash() -> Spent:
        name = PREFIX + str(uuid.uuid4())
        rbd_command(site, "create", "--size", "%dB" % fill.SIZE, name)()
        return rbd_command(site, "trash", "mv", name)()

    return {
        "rbd create": create,
        "rbd trash mv": trash,
        "rbd rm": lambda: rbd_command(site, "rm", "--no-progress", kept.pop())(),
    }


def _library_sides(site: Site, library: Library) -> dict[str, Side]:
    features = external.mapper(site.config.mapper).features()
    made: list[str] = []

    def create() -> Spent:
        made.append(PREFIX + str(uuid.uuid4()))
        return library.create(made[-1], fill.SIZE, features)

    return {"librbd create": create, "librbd trash move": lambda: library.trash(made.pop())}
