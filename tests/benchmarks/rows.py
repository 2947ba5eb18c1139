"""The result of a benchmark: rows, and their two forms, a table and JSON."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass

from benchmarks.measure import Spent


@dataclass(frozen=True)
class Row:
    """One comparison of two medians in ``unit``; ``n`` is the number of disks in the SR."""

    bench: str
    n: int
    unit: str
    value: float
    baseline: str
    baseline_value: float

    @property
    def ratio(self) -> float:
        """value / baseline_value: below 1 is better than the baseline."""
        return self.value / self.baseline_value

    @property
    def fields(self) -> dict[str, object]:
        return {**asdict(self), "ratio": float("%.4g" % self.ratio)}


def compared(bench: str, n: int, value: Spent, baseline: str, baseline_value: Spent) -> list[Row]:
    """Rows for both kinds of time."""
    return [
        Row(bench, n, "s", value.seconds, baseline, baseline_value.seconds),
        Row(bench, n, "s CPU", value.cpu, baseline, baseline_value.cpu),
    ]


HEADINGS = ("bench", "n", "value", "unit", "beside", "its value", "ratio", "")


def table(rows: Sequence[Row]) -> str:
    """Aligned text, one line a row."""
    lines = [HEADINGS, *(_cells(row) for row in rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(HEADINGS))]
    return "\n".join(_line(line, widths) for line in lines)


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    return "  ".join(cell.ljust(width) for cell, width in zip(cells, widths, strict=True)).rstrip()


def _cells(row: Row) -> tuple[str, ...]:
    factor = "%.1f times less" % (1 / row.ratio) if row.ratio < 0.5 else ""
    return (
        row.bench,
        str(row.n),
        "%.3f" % row.value,
        row.unit,
        row.baseline,
        "%.3f" % row.baseline_value,
        "%.3f" % row.ratio,
        factor,
    )


def json_text(rows: Sequence[Row]) -> str:
    """A JSON list, one object a row."""
    return json.dumps([row.fields for row in rows], indent=1) + "\n"
