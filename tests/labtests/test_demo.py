"""tests/demo as a program: the whole story, the user's own file, an interruption, and that nothing stays behind."""

import os
import re
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import pytest

from lab.state import known

TESTS = Path(__file__).resolve().parents[1]
DEMO = str(TESTS / "demo")
STORY_DEADLINE = 900.0
ODD_SIZE = 5_000_001  # neither whole sectors nor whole objects

pytestmark = [pytest.mark.lab, pytest.mark.slow, pytest.mark.timeout(STORY_DEADLINE + 60)]


def leftovers(pid: int) -> list[str]:
    """What is still there of the demonstration that ran as this process: its lab, its files, its processes."""
    name = "demo-%d" % pid
    found = [lab for lab in known() if lab == name]
    found += [str(path) for path in Path("/var/tmp").glob("xcpng-ceph-hci-demo-*") if not path.name.endswith("-logs")]
    for command in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if name.encode() in command.read_bytes():
                found.append(str(command))
        except OSError:
            continue  # it ended meanwhile
    return found


@contextmanager
def running(*arguments: str) -> Iterator["subprocess.Popen[str]"]:
    """The demonstration as a process; it ends with the block."""
    process = subprocess.Popen(
        [DEMO, *arguments], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    try:
        yield process
    finally:
        if process.poll() is None:
            process.terminate()
        process.communicate(timeout=60)


def read_until(stream: IO[str], words: str) -> str:
    """What the program prints up to the line with these words."""
    said = ""
    for line in stream:
        said += line
        if words in line:
            return said
    pytest.fail("the demonstration ended without saying %r:\n%s" % (words, said))


def steps(said: str) -> list[str]:
    """The rows of the table."""
    table = said[said.index("\nstep ") :]
    return re.findall(r"^(\S.*\S) +[0-9]+\.[0-9]$", table, re.MULTILINE)


def test_the_whole_story() -> None:
    with running() as demo:
        said, _ = demo.communicate(timeout=STORY_DEADLINE)
    assert demo.returncode == 0, said
    rows = steps(said)
    assert rows[0] == "what the demonstration needs is installed"
    assert rows[-2:] == ["the lab is taken down, nothing is left of it", "in all"]
    for step in ("read back on host2, the same SHA-256", "the root file system runs on host2", "the space is back"):
        assert step in rows, said
    before, after = re.search(r"(\d+) blocks before, (\d+) after, longest pause", said).groups()  # type: ignore[union-attr]
    verified = re.search(r"host2 reads every acknowledged block: (\d+)", said)
    assert verified and int(verified.group(1)) == int(before) + int(after)
    assert said.rstrip().splitlines()[-1].startswith("The demonstration passed: ")
    assert leftovers(demo.pid) == []


def test_own_file_and_interruption(tmp_path: Path) -> None:
    image = tmp_path / "own.img"
    image.write_bytes(os.urandom(ODD_SIZE))
    with running(str(image)) as demo:
        assert demo.stdout is not None
        said = read_until(demo.stdout, "read back on host2, the same SHA-256")
        assert "your file own.img, %d bytes" % ODD_SIZE in said
        assert "xe vdi-create, a disk is an RBD image: 8 MiB" in said
        time.sleep(2)  # in the middle of a later step
        demo.send_signal(signal.SIGINT)
        rest, _ = demo.communicate(timeout=120)
    assert demo.returncode == 130, said + rest
    assert "interrupted" in rest
    assert leftovers(demo.pid) == []


@pytest.mark.parametrize("argument", ["/no/such/file", "/var/tmp", "/dev/null", "--what"])
def test_bad_arguments_start_nothing(argument: str) -> None:
    done = subprocess.run([DEMO, argument], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60)
    assert done.returncode == 2
    assert "usage: tests/demo" in done.stderr
    assert done.stdout == ""
