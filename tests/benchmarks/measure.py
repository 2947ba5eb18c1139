"""Timing: several sides in turn, so that whatever else the machine does hits all of them alike."""

import resource
import statistics
import time
from collections.abc import Callable, Mapping
from typing import NamedTuple


class Spent(NamedTuple):
    """What one piece of work took: time on the clock, and time on a processor.

    The processor's time is that of programs which ended meanwhile, and of this process: not of the cluster.
    It stays the same, nearly, while other work on the machine lets the clock run on.
    """

    seconds: float
    cpu: float

    def __add__(self, other: object) -> "Spent":
        assert isinstance(other, Spent)
        return Spent(self.seconds + other.seconds, self.cpu + other.cpu)


Side = Callable[[], Spent]  # does it once


def spent_on(work: Callable[[], object]) -> Spent:
    """What ``work`` takes."""
    cpu, begun = _cpu(), time.perf_counter()
    work()
    return Spent(time.perf_counter() - begun, _cpu() - cpu)


def medians(sides: Mapping[str, Side], rounds: int) -> dict[str, Spent]:
    """The medians of every side over ``rounds`` rounds, in each of which all sides have one turn."""
    taken: dict[str, list[Spent]] = {name: [] for name in sides}
    for _ in range(rounds):
        for name, side in sides.items():
            taken[name].append(side())
    return {name: median(spent) for name, spent in taken.items()}


def median(spent: list[Spent]) -> Spent:
    """The median of each kind of time."""
    return Spent(statistics.median(one.seconds for one in spent), statistics.median(one.cpu for one in spent))


def _cpu() -> float:
    usages = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)
