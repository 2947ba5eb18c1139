"""The command tests/demo: installs what it needs, tells the story, and leaves nothing behind."""

import argparse
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import traceback
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING

from demonstration.journal import Journal

if TYPE_CHECKING:
    from demonstration.story import Story
    from lab.lab import Lab

TESTS = Path(__file__).resolve().parents[1]
DISKS = Path("/var/tmp")  # where the lab keeps its disks, which are sparse files
REPLICAS = 3
ROOM = 3 << 30  # bytes of this machine that must stay free, beside three copies of the input
EXPLORE = """\
The SR is gone and the pool is empty. To make another one:
  xe sr-create type=ceph shared=true name-label=ceph device-config:pool=xcp device-config:mapper=fuse
"""


def main(argv: list[str]) -> int:
    """Exit code 0 when every step was as it should be."""
    arguments = _arguments(argv)
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _interrupt)
    journal = Journal()
    try:
        with journal.step("what the demonstration needs is installed"):
            subprocess.run([str(TESTS / "install"), "demo"], stdin=subprocess.DEVNULL, check=True)
    except subprocess.CalledProcessError:
        journal.say("FAILED: tests/install demo")
        return 1
    except KeyboardInterrupt:
        return 130
    return _in_a_lab(journal, arguments)


def _arguments(argv: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="tests/demo",
        description="Makes an SR on a real Ceph cluster in a lab on this machine, stores a file in it, loses a node.",
    )
    what = "file to store; by default a root file system"
    parser.add_argument("image", nargs="?", type=Path, metavar="IMAGE", help=what)
    parser.add_argument("--keep", action="store_true", help="explore the lab afterwards in a shell on host1")
    arguments = parser.parse_args(argv)
    if os.geteuid() != 0:
        parser.error("it must run as root, because the lab makes namespaces")
    size = 0
    if arguments.image:
        if not arguments.image.is_file() or not arguments.image.stat().st_size:
            parser.error("%s is not a file with something in it" % arguments.image)
        size = arguments.image.stat().st_size
    needed = REPLICAS * size + ROOM
    if shutil.disk_usage(DISKS).free < needed:
        parser.error("%s needs %.1f GiB of free space for the lab's disks" % (DISKS, needed / 2**30))
    return arguments


def _in_a_lab(journal: Journal, arguments: argparse.Namespace) -> int:
    """Everything that needs what was installed. Whatever happens, the lab goes, unless it is kept as asked."""
    from demonstration.story import Story
    from lab.lab import Lab

    lab = Lab("demo-%d" % os.getpid())
    stays = False
    with tempfile.TemporaryDirectory(prefix="xcpng-ceph-hci-demo-", dir=DISKS) as folder:
        story = Story(journal, lab, Path(folder), arguments.image)
        try:
            passed = _tell(journal, story)
            if arguments.keep and lab.is_up:
                _report(journal, passed, "the lab %s is still up" % lab.name)
                stays = _explore(journal, lab, passed)
        except KeyboardInterrupt:
            journal.say("\ninterrupted")
            return 130
        finally:
            for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
                signal.signal(number, signal.SIG_IGN)  # the end is not to be interrupted
            story.abandon()
            if not stays:
                _take_down(journal, lab)
    if not arguments.keep:
        _report(journal, passed, "nothing is left running")
    return 0 if passed else 1


def _tell(journal: Journal, story: "Story") -> bool:
    from demonstration import logs

    try:
        story.tell()
        return True
    except Exception as error:  # whatever a step raises is how it failed; the traceback goes to the logs
        failed = journal.current.title if journal.current else "between two steps"
        journal.say("FAILED: %s\n%s" % (failed, error))
        folder = logs.keep(story.lab)
        (folder / "traceback.txt").write_text(traceback.format_exc(), encoding="utf-8")
        journal.say("Logs: %s" % folder)
        return False


def _report(journal: Journal, passed: bool, rest: str) -> None:
    journal.say("\n%s\n" % journal.table())
    if passed:
        journal.say("The demonstration passed: %d steps in %.0f s, %s." % (len(journal.done), journal.seconds, rest))
    else:
        journal.say("The demonstration did not pass; %s." % rest)


def _explore(journal: Journal, lab: "Lab", passed: bool) -> bool:
    """A shell on host1, or the way to one; answers whether the lab shall stay up."""
    if passed:
        journal.say("\n" + EXPLORE)
    if not sys.stdin.isatty():
        command = "tests/lab/lab --name %s" % lab.name
        journal.say("To explore:      %s shell host1\nTo take it down: %s down" % (command, command))
        return True
    journal.say("This is a shell on host1; the lab ends with it.")
    signal.signal(signal.SIGINT, lambda number, frame: None)  # it belongs to what runs in the shell
    shell = lab.machine("host1").argv(["/bin/bash", "--login"])
    subprocess.call(shell, env={**os.environ, "HOME": "/root", "PATH": "/usr/sbin:/usr/bin:/sbin:/bin"})
    return False


def _take_down(journal: Journal, lab: "Lab") -> None:
    from lab.state import known

    with journal.step("the lab is taken down, nothing is left of it"):
        lab.down()
        assert not lab.is_up and lab.name not in known(), "something of the lab %s is left" % lab.name


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt
