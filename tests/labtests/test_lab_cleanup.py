"""Nothing of a lab outlives its init, nor a `lab up` that was killed: the kernel ends the rest."""

import json
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from lab.lab import DEFAULT_ENVIRONMENT, Lab
from lab.loops import FIRST
from lab.state import BASE

pytestmark = pytest.mark.lab

COMMAND = Path(__file__).resolve().parents[1] / "lab" / "lab"
VANISH_DEADLINE = 15.0
# Two hosts come up in a second; what is tested is the life of processes, mounts and cables.
ENVIRONMENT = """
[networks]
public = "10.91.0.0/24"
[hosts.host1]
public = "10.91.0.11"
[hosts.host2]
public = "10.91.0.12"
"""
Remains = dict[str, list[str]]


@pytest.fixture
def name() -> Iterator[str]:
    name = "clean-%d" % os.getpid()
    yield name
    Lab(name).down()


@pytest.fixture
def environment(tmp_path: Path) -> Path:
    path = tmp_path / "small.toml"
    path.write_text(ENVIRONMENT, encoding="utf-8")
    return path


def remains(name: str) -> Remains:
    """Everything on this machine that mentions the lab: processes, mounts, namespaces, devices, links."""
    return {
        "processes": [line for line in _run("ps", "-eo", "pid,args", "--no-headers") if "/%s/" % name in line],
        "inits": [line for line in _run("ps", "-eo", "args", "--no-headers") if "lab.labinit %s " % name in line],
        "mounts": [line for line in Path("/proc/mounts").read_text(encoding="utf-8").splitlines() if name in line],
        "named network namespaces": _run("ip", "netns"),
        "links": [line for line in _run("ip", "-o", "link") if "public" in line or "node1" in line],
        "namespaces": [line for line in _run("lsns", "-n", "-o", "COMMAND") if name in line],
    }


def loop_devices() -> list[str]:
    """Bound loop devices in the labs' range; the other labs of this machine keep theirs."""
    return [line for line in _run("losetup", "-a") if int(line.split(":")[0].removeprefix("/dev/loop")) >= FIRST]


def test_nothing_is_left_after_down(name: str, environment: Path) -> None:
    before = remains(name)
    _up(name, environment)
    assert remains(name) != before
    subprocess.run([COMMAND, "--name", name, "down"], check=True, timeout=60)
    assert remains(name) == before
    assert not (BASE / name).exists()


def test_nothing_is_left_when_the_init_is_killed(name: str, environment: Path) -> None:
    before, loops = remains(name), loop_devices()
    _up(name, environment)
    _attach_a_disk(name)
    [ours] = set(loop_devices()) - set(loops)
    os.kill(json.loads((BASE / name / "init.json").read_text(encoding="ascii"))["pid"], signal.SIGKILL)
    _wait_for(lambda: remains(name) == before and ours not in loop_devices(), name)
    Lab(name).down()
    assert not Path("/sys/block", Path(ours.split(":")[0]).name).exists(), "the unbound device goes with down"


@pytest.mark.parametrize("seconds", [0.1, 0.15, 0.2, 0.25, 0.3, 0.4, 0.5, 0.7, 1.0, 1.5, 3.0, 6.0])
def test_nothing_is_left_when_up_is_killed(name: str, seconds: float) -> None:
    before = remains(name)
    process = subprocess.Popen(
        [COMMAND, "--name", name, "up", DEFAULT_ENVIRONMENT], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    time.sleep(seconds)
    assert process.poll() is None, "it was to be killed on its way"
    process.kill()
    process.wait()
    _wait_for(lambda: remains(name) == before, name)


def test_a_second_up_takes_over_the_leftovers(name: str, environment: Path) -> None:
    _up(name, environment)
    os.kill(json.loads((BASE / name / "init.json").read_text(encoding="ascii"))["pid"], signal.SIGKILL)
    _wait_for(lambda: not Lab(name).is_up, name)
    _up(name, environment)
    assert {row[2] for row in Lab(name).status()} == {"up"}


def _up(name: str, environment: Path) -> None:
    subprocess.run([COMMAND, "--name", name, "up", environment], check=True, timeout=100)


def _attach_a_disk(name: str) -> None:
    """A tapdisk with writes that it must not finish: the worst moment to pull the plug."""
    script = """
        truncate -s 16M /root/disk
        node=$(tap-ctl allocate); minor=${node##*tapdev}; pid=$(tap-ctl spawn)
        tap-ctl attach -p $pid -m $minor && tap-ctl open -p $pid -m $minor -a aio:/root/disk
        tap-ctl pause -p $pid -m $minor
        dd if=/dev/zero of=$node bs=4k count=8 oflag=direct 2>/dev/null &
        sleep 0.3
    """
    done = Lab(name).machine("host1").run(["/bin/bash", "-ec", script + "exit 0"], timeout=30)
    assert done.returncode == 0, done.stderr


def _wait_for(condition: Callable[[], bool], name: str) -> None:
    deadline = time.monotonic() + VANISH_DEADLINE
    while not condition():
        assert time.monotonic() < deadline, remains(name)
        time.sleep(0.05)


def _run(*argv: str) -> list[str]:
    return subprocess.run(argv, capture_output=True, text=True, timeout=30).stdout.splitlines()
