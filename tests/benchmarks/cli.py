"""The `bench` command.

tests/bench [NAME...] [--json FILE] [--list] [--profile] [--sizes N,N,...] [--lab NAME]
"""

import argparse
import sys
from pathlib import Path

from benchmarks import ground, rows
from lab.envfile import BadEnvironment
from lab.lab import XeFailed
from lab.state import LabError

BENCHES = {
    "scan": "sr_scan, with nothing and with one disk changed, beside `rbd ls -l`",
    "create": "vdi_create beside `rbd create`, the floor, and the floor with librbd's own time",
    "delete": "vdi_delete beside `rbd trash mv`, `rbd rm`, the floor, and the floor with librbd's own time",
}
SIZES = [100, 1000, 10000]


def main(argv: list[str]) -> int:
    """Measure and print. Expected errors are one line and exit code 1."""
    arguments = _parser().parse_args(argv)
    if arguments.list:
        for name, text in BENCHES.items():
            print("%-8s %s" % (name, text))
        return 0
    request = {
        "benches": arguments.names or list(BENCHES),
        "sizes": arguments.sizes,
        "with_profile": arguments.profile,
    }
    try:
        found = []
        with ground.lab_with_sr(arguments.lab) as lab:
            for row in ground.measure(lab, request):
                found.append(row)
                sys.stderr.write("%s, %d disks: %.3f %s\n" % (row.bench, row.n, row.value, row.unit))
    except (LabError, BadEnvironment, XeFailed, ground.MeasurementFailed) as error:
        sys.stderr.write("bench: %s\n" % error)
        return 1
    print(rows.table(found))
    if arguments.json:
        arguments.json.write_text(rows.json_text(found), "utf-8")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="bench", description="measure the product beside its baselines")
    parser.add_argument("names", nargs="*", type=_bench, metavar="NAME", help="what to measure (default: all)")
    parser.add_argument("--list", action="store_true", help="show what can be measured")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the rows there too")
    parser.add_argument("--profile", action="store_true", help="add rows that tell where the time goes")
    parser.add_argument("--sizes", type=_sizes, default=SIZES, metavar="N,...", help="numbers of disks for scan")
    parser.add_argument("--lab", default="", metavar="NAME", help="a lab that is up and stays, with its disks")
    return parser


def _bench(name: str) -> str:
    if name not in BENCHES:
        raise argparse.ArgumentTypeError("there is no %s; there are: %s" % (name, " ".join(BENCHES)))
    return name


def _sizes(text: str) -> list[int]:
    parts = text.split(",")
    if not all(part.isdecimal() and int(part) for part in parts):
        raise argparse.ArgumentTypeError("%s is no list of numbers" % text)
    return [int(part) for part in parts]
