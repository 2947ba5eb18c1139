"""sr_scan beside `rbd ls -l`, which tells the same: every image with its size."""

from collections.abc import Callable, Iterator

from benchmarks import fill, profile
from benchmarks.driver import Driver
from benchmarks.measure import Side, Spent, medians
from benchmarks.programs import FLOOR, SM_FLOOR, floor, rbd_command, sm_floor
from benchmarks.rows import Row, compared
from benchmarks.site import Site

ROUNDS = {100: 9, 1000: 5, 10000: 3}
UNCHANGED = "scan, nothing changed"
CHANGED = "scan, one disk changed"
LISTING = "rbd ls -l"


def measure(site: Site, sizes: list[int], with_profile: bool) -> Iterator[Row]:
    """Rows for every number of disks, in rising order."""
    for size in sorted(sizes):
        n = fill.fill(site, size)
        driver = Driver(site)
        driver.scan()
        sides = {
            UNCHANGED: driver.scan,
            FLOOR: floor(site),
            SM_FLOOR: sm_floor(site),
            CHANGED: _scan_after_change(driver),
            LISTING: rbd_command(site, "ls", "--long"),
        }
        found = medians(sides, ROUNDS.get(size, 3))
        for name in (UNCHANGED, CHANGED):
            for baseline in (LISTING, FLOOR, SM_FLOOR):
                yield from compared(name, n, found[name], baseline, found[baseline])
        if with_profile:
            yield from profile.parts(driver, UNCHANGED, n, driver.scan_argument)
            yield from profile.parts(driver, CHANGED, n, _argument_after_change(driver))


def _changes(driver: Driver) -> Callable[[], None]:
    """Makes a disk, deletes it, and so on in turn."""
    spare: list[str] = []

    def change() -> None:
        if spare:
            driver.delete(spare.pop())
        else:
            spare.append(driver.create(fill.SIZE, fill.LABEL)[1])

    return change


def _scan_after_change(driver: Driver) -> Side:
    """A scan that must compare everything; the change before it is not timed."""
    change = _changes(driver)

    def side() -> Spent:
        change()
        spent = driver.scan()
        driver.scan()  # the next side finds nothing changed
        return spent

    return side


def _argument_after_change(driver: Driver) -> Callable[[], str]:
    change = _changes(driver)

    def argument() -> str:
        change()
        return driver.scan_argument()

    return argument
