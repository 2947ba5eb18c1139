"""What `lab up` does inside a fresh lab, as a list of steps whose progress is printed."""

import time
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor

from lab.machine import Machine, all_machines
from lab.state import State


def bring_up(state: State, first_loop: int) -> None:
    """Bring every machine to life. Raises LabError naming what did not come up."""
    begun = time.monotonic()
    machines = all_machines(state)
    for machine in machines:
        machine.create([])
        machine.describe([], {})
    start_all(machines)
    report(begun, "%d machines are running" % len(machines))


def start_all(machines: Iterable[Machine]) -> None:
    """Start machines side by side."""
    with ThreadPoolExecutor() as pool:
        list(pool.map(Machine.start, machines))


def report(begun: float, text: str) -> None:
    print("%6.1f s  %s" % (time.monotonic() - begun, text), flush=True)
