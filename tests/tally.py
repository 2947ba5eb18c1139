"""Adds up the results of several pytest runs: a table, the skips with their reasons, one plain closing line.

Reads a folder with a file `runs` (name, exit code, seconds) and one JUnit file a run. Exits 1 when a test
failed, when a run ended badly, or when a test was skipped for a reason that nobody declared.
"""

import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path
from typing import NamedTuple

DECLARED = "expected:"


class Run(NamedTuple):
    name: str
    status: int
    seconds: int
    passed: int = 0
    failed: int = 0
    skipped: int = 0
    unexpected: tuple = ()


def read(folder: Path, line: str) -> Run:
    """One run; a run that ended badly without a failed test (a deadline, no tests) counts as one failure."""
    name, status, seconds = line.split()
    report = folder / f"{name}.xml"
    if not report.exists() or not report.stat().st_size:
        return Run(name, int(status), int(seconds), failed=1 if int(status) else 0)
    passed = failed = skipped = 0
    unexpected = []
    for case in ElementTree.parse(report).iter("testcase"):
        skip = case.find("skipped")
        if case.find("failure") is not None or case.find("error") is not None:
            failed += 1
        elif skip is None:
            passed += 1
        else:
            skipped += 1
            reason = skip.get("message", "")
            if not reason.startswith(DECLARED) and skip.get("type") != "pytest.xfail":
                unexpected.append(f"{case.get('classname')}::{case.get('name')}: {reason}")
    if int(status) != 0 and failed == 0:
        failed = 1
    return Run(name, int(status), int(seconds), passed, failed, skipped, tuple(unexpected))


def main(folder: Path) -> int:
    lines = (folder / "runs").read_text(encoding="utf-8").splitlines()
    runs = [read(folder, line) for line in lines]
    print(f"\n{'layer':<20}{'passed':>8}{'failed':>8}{'skipped':>8}{'seconds':>9}")
    for run in runs:
        print(f"{run.name:<20}{run.passed:>8}{run.failed:>8}{run.skipped:>8}{run.seconds:>9}")
    undeclared = [text for run in runs for text in run.unexpected]
    for text in undeclared:
        print(f"skipped for no declared reason: {text}")
    passed = sum(run.passed for run in runs)
    failed = sum(run.failed for run in runs) + len(undeclared)
    skipped = sum(run.skipped for run in runs) - len(undeclared)
    print(f"\n{passed} passed, {failed} failed, {skipped} skipped")
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
