"""Runs in the host: measures one group of benchmarks and prints a JSON line for every row."""

import json
import sys
from collections.abc import Iterator
from dataclasses import asdict

from benchmarks import disks, scan, site
from benchmarks.rows import Row


def main(benches: list[str], sizes: list[int], with_profile: bool) -> None:
    """Measure, smallest SR first."""
    for row in _rows(benches, sizes, with_profile):
        print(json.dumps(asdict(row)), flush=True)


def _rows(benches: list[str], sizes: list[int], with_profile: bool) -> Iterator[Row]:
    here = site.find()
    about_disks = [bench for bench in benches if bench != "scan"]
    if about_disks:
        yield from disks.measure(here, about_disks, with_profile)
    if "scan" in benches:
        yield from scan.measure(here, sizes, with_profile)


if __name__ == "__main__":
    main(**json.loads(sys.argv[1]))
