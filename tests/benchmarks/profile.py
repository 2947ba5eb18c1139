"""Where the time of a driver process goes, as extra rows: parts beside the whole."""

import json
import os
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

from benchmarks.driver import PATH, Driver
from benchmarks.measure import median, spent_on
from benchmarks.rows import Row
from lab.xapi import sm_exec

TRACES = 5
TESTS = Path(__file__).resolve().parents[1]
NEGLIGIBLE = 0.001  # seconds; parts below it are summed up


def parts(driver: Driver, bench: str, n: int, argument: Callable[[], str]) -> Iterator[Row]:
    """The parts of the command that ``argument`` makes anew for every run."""
    traced = [_trace(argument()) for _ in range(TRACES)]
    whole, totals = sorted(traced, key=lambda one: one[0])[TRACES // 2]
    totals["Python and imports"] = (1, median([driver.nothing() for _ in range(TRACES)]).seconds)
    totals["the rest"] = (1, whole - sum(seconds for _, seconds in totals.values()))
    for what, (calls, seconds) in sorted(totals.items(), key=lambda item: -item[1][1]):
        if seconds >= NEGLIGIBLE:
            yield Row("%s: %s x %d" % (bench, what, calls), n, "s", seconds, bench, whole)


def _trace(argument: str) -> tuple[float, dict[str, tuple[int, float]]]:
    """One run: its seconds from start to end, and what the trace counted."""
    with tempfile.NamedTemporaryFile() as report:
        argv = ["/usr/bin/python3", "-m", "benchmarks.trace", report.name, PATH, argument]
        environment = {**sm_exec.ENVIRONMENT, "PYTHONPATH": str(TESTS)}
        output = subprocess.DEVNULL
        whole = spent_on(lambda: subprocess.run(argv, check=True, env=environment, cwd=os.sep, stdout=output)).seconds
        totals = json.loads(Path(report.name).read_text("utf-8"))
    return whole, {what: (int(calls), seconds) for what, (calls, seconds) in totals.items()}
