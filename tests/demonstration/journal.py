"""The story as it is told: a line for every step when it is done, and a table at the end."""

import contextlib
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TextIO


@dataclass
class Step:
    """One step; ``detail`` is what came out of it."""

    title: str
    detail: str = ""
    seconds: float = 0.0


class Journal:
    """Collects the steps of one run and prints them to ``out``."""

    def __init__(self, out: TextIO = sys.stdout) -> None:
        self.out = out
        self.begun = time.monotonic()
        self.done: list[Step] = []
        self.current: Step | None = None

    @contextmanager
    def step(self, title: str) -> Iterator[Step]:
        """Time what happens inside; a step that raises stays ``current``."""
        step = self.current = Step(title)
        begun = time.monotonic()
        if self.out.isatty():
            self._write("%6.1f s  ... %s" % (self.seconds, title), end="")
        yield step
        step.seconds = time.monotonic() - begun
        self.done.append(step)
        self.current = None
        told = ": ".join(filter(None, (step.title, step.detail)))
        self._write("%6.1f s  %s (%.1f s)" % (self.seconds, told, step.seconds))

    def show(self, text: str) -> None:
        """Print what a program said, set off from the steps."""
        for line in text.splitlines():
            self._write(("          | %s" % line).rstrip())

    def say(self, text: str) -> None:
        """Print a line of our own."""
        self._write(text)

    @property
    def seconds(self) -> float:
        """Since the beginning."""
        return time.monotonic() - self.begun

    def table(self) -> str:
        """All steps that were done, with their seconds."""
        rows = [(step.title, step.seconds) for step in self.done] + [("in all", self.seconds)]
        width = max(len(title) for title, _ in rows)
        lines = ["%-*s  %7s" % (width, "step", "seconds"), "-" * (width + 9)]
        return "\n".join(lines + ["%-*s  %7.1f" % (width, title, seconds) for title, seconds in rows])

    def _write(self, text: str, end: str = "\n") -> None:
        start = "\r\033[K" if self.out.isatty() else ""
        with contextlib.suppress(OSError):  # nobody reads any more; the lab must be taken down all the same
            self.out.write(start + text + end)
            self.out.flush()
