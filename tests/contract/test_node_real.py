"""The node program on real Ceph: the scenarios of node_scenarios.py, each in namespaces of its own."""

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Iterator

import pytest

HERE = Path(__file__).resolve().parent
NAMESPACES = ["unshare", "--pid", "--net", "--mount", "--fork", "--kill-child", "--mount-proc"]

pytestmark = [pytest.mark.lab, pytest.mark.slow, pytest.mark.timeout(420)]


@pytest.fixture
def folder() -> Iterator[Path]:
    # Not pytest's own folder: paths of unix sockets must be short, and the daemons' user must get in.
    path = Path(tempfile.mkdtemp(prefix="hci-node-", dir="/var/tmp"))
    path.chmod(0o755)
    yield path
    shutil.rmtree(path)


@pytest.mark.parametrize(
    "scenario",
    [
        "first_start",
        "power_loss",
        "interrupted",
        "interrupted_mkfs",
        "daemons_die",
        "foreign_disks",
        "second_disk",
        "block_device",
    ],
)
def test_node(scenario: str, folder: Path) -> None:
    argv = [*NAMESPACES, sys.executable, str(HERE / "node_scenarios.py"), str(folder), scenario]
    path = os.pathsep.join([str(HERE.parents[1]), str(HERE)])
    done = subprocess.run(
        argv,
        env={**os.environ, "PYTHONPATH": path},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=400,
        check=False,
    )
    print(done.stdout.decode("utf-8", "replace"))
    if done.returncode:
        for log in sorted(folder.glob("*/hci-node.log")):
            print(log, log.read_text(encoding="utf-8", errors="replace"), sep="\n")
    assert done.returncode == 0
