"""What the texts of the repository must and must not contain."""

import re
from pathlib import Path

import pytest
from sources import ROOT, files, text

README_LINES = 150
# Things outside the repository that a reader cannot look up; in halves, so that this file may name them.
FORBIDDEN = [
    re.compile(pattern)
    for pattern in (
        r"/wor" r"k/",
        r"\.\./shar" r"ed/|\bshar" r"ed/(reference|fixtures|design|tools|hooks)",
        r"(?i)\bissue" r" #?\d+",
        r"(?i)style-anch" r"ors|sm-and-plugin-contr" r"act|xapi-obs" r"erved|storage-driver-anch" r"ors",
    )
]
RECORDINGS = Path("tests/lab/xapi/recordings")


def readable():
    own = [path for path in files() if RECORDINGS not in path.parents]
    return [path for path in own if b"\0" not in (ROOT / path).read_bytes()]


@pytest.mark.parametrize("pattern", FORBIDDEN, ids=lambda pattern: pattern.pattern[:12])
def test_nothing_points_outside_the_repository(pattern):
    found = []
    for path in readable():
        for number, line in enumerate(text(path).splitlines(), 1):
            if pattern.search(line):
                found.append("%s:%d: %s" % (path, number, line.strip()[:80]))
    assert not found, "\n" + "\n".join(found)


def test_readme_is_short():
    path = ROOT / "README.md"
    if not path.exists():
        pytest.skip("expected: there is no README yet")
    assert len(path.read_text(encoding="utf-8").splitlines()) <= README_LINES


def test_text_files_end_with_one_newline():
    wrong = []
    for path in readable():
        content = text(path)
        if content and (not content.endswith("\n") or content.endswith("\n\n")):
            wrong.append(str(path))
    assert not wrong, "\n".join(wrong)


def test_no_trailing_blanks():
    skipped = (".json", ".patch", ".xml")
    wrong = []
    for path in readable():
        if path.suffix in skipped or path.name == "LICENSE":
            continue
        for number, line in enumerate(text(path).splitlines(), 1):
            if line != line.rstrip():
                wrong.append("%s:%d" % (path, number))
    assert not wrong, "\n".join(wrong)
