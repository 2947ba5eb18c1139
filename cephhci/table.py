"""Tables of text for the terminal; pure."""

from typing import Iterable, List, Sequence


def render(heading: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Columns as wide as their widest cell, two blanks apart."""
    lines: List[Sequence[str]] = [heading] + list(rows)
    widths = [max(len(line[column]) for line in lines) for column in range(len(heading))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths)).rstrip() for line in lines
    )
