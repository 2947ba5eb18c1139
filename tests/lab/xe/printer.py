"""Output: aligned records, plain lines, or with ``--minimal`` one comma-separated line."""

from collections.abc import Sequence
from typing import TextIO

Row = Sequence[tuple[str, str]]


def aligned(row: Row) -> str:
    """One record: the first name flush left, the others right-aligned to the longest one."""
    width = 4 + max((len(name) for name, _ in row), default=0)
    names = [name.ljust(width) if index == 0 else name.rjust(width) for index, (name, _) in enumerate(row)]
    return "\n".join(f"{name}: {value}" for name, (_, value) in zip(names, row, strict=True)) + "\n"


def escaped(value: str) -> str:
    """A value inside a comma-separated line."""
    return value.replace("\\", "\\\\").replace(",", "\\,")


class Printer:
    """Writes results to ``stream``; call ``close`` once at the end of a successful command."""

    def __init__(self, minimal: bool, stream: TextIO) -> None:
        self.minimal = minimal
        self.stream = stream
        self._parts: list[str] = []

    def table(self, rows: Sequence[Row]) -> None:
        """Records; minimal output shows the first field of each."""
        if not self.minimal:
            for row in rows:
                print(aligned(row) + "\n", file=self.stream)
        elif rows and all(rows):
            self._parts.insert(0, ",".join(escaped(row[0][1]) for row in rows))

    def lines(self, values: Sequence[str]) -> None:
        """Values, one a line."""
        if self.minimal:
            self._parts.insert(0, ",".join(escaped(value) for value in values))
            return
        for value in values:
            print(value, file=self.stream)

    def message(self, text: str) -> None:
        """A line that minimal output shows too."""
        print(text, file=self.stream)

    def close(self) -> None:
        """Write what minimal output has collected."""
        if self.minimal:
            print(",".join(self._parts), file=self.stream)
