"""The nodes are a real cluster: it bears the loss of one, and the one comes back."""

import time

import pytest

from lab import cluster
from lab.lab import Lab, MachineHandle
from lab.state import LabError

pytestmark = [pytest.mark.lab, pytest.mark.slow, pytest.mark.timeout(400)]

RETURN_DEADLINE = 150.0
WRITE = "dd if=/dev/zero bs=4096 count=1 status=none | timeout 100 rbd --conf %s import --no-progress - xcp/%s"


def wait_until_clean(lab: Lab) -> None:
    """Three OSDs up, all placement groups clean."""
    deadline = time.monotonic() + RETURN_DEADLINE
    while True:
        done = lab.run(["python3", "-c", CHECK, str(cluster.conf_file(lab.state))], timeout=60)
        if done.stdout == "clean\n":
            return
        assert time.monotonic() < deadline, done.stdout + done.stderr
        time.sleep(0.5)


CHECK = """
import json, rados, sys
with rados.Rados(conffile=sys.argv[1], name="client.admin", conf={"client_mount_timeout": "20"}) as client:
    status = json.loads(client.mon_command(json.dumps({"prefix": "status", "format": "json"}), b"")[1])
pgs, osds = status["pgmap"], status["osdmap"]
clean = [state["count"] for state in pgs["pgs_by_state"] if state["state_name"] == "active+clean"]
quorum = len(status["quorum"])
print("clean" if clean == [pgs["num_pgs"]] and osds["num_up_osds"] == 3 and quorum == 3 else status)
"""


def write(lab: Lab, image: str) -> None:
    done = lab.run(["/bin/bash", "-o", "pipefail", "-c", WRITE % (cluster.conf_file(lab.state), image)])
    assert done.returncode == 0, done.stderr


def osd_is_down(lab: Lab) -> bool:
    argv = ["ceph", "-c", str(cluster.conf_file(lab.state)), "--connect-timeout", "30", "osd", "stat"]
    return "2 up" in lab.run(argv).stdout


@pytest.fixture
def node(lab: Lab) -> MachineHandle:
    return lab.machine("node3")


def test_power_loss_of_a_node(lab: Lab, node: MachineHandle) -> None:
    wait_until_clean(lab)
    node.kill()
    try:
        write(lab, "after-power-loss")
    finally:
        node.start()
    wait_until_clean(lab)


def test_clean_shutdown_of_a_node(lab: Lab, node: MachineHandle) -> None:
    wait_until_clean(lab)
    node.stop()
    try:
        assert osd_is_down(lab), "a clean stop tells the monitors"
        write(lab, "after-shutdown")
    finally:
        node.start()
    wait_until_clean(lab)


def test_a_node_cut_off_from_both_networks(lab: Lab, node: MachineHandle) -> None:
    wait_until_clean(lab)
    node.cut()
    try:
        write(lab, "while-cut")
    finally:
        node.heal()
    wait_until_clean(lab)


def test_a_dead_lab_says_so(lab: Lab) -> None:
    with pytest.raises(LabError, match="the lab nobody is not up|no lab called nobody"):
        Lab("nobody").run(["true"])
