"""Machines: their own world, power, cables, services."""

import subprocess
import time

import pytest

from lab.envfile import BadEnvironment
from lab.lab import Lab
from lab.state import LabError

pytestmark = pytest.mark.lab

# A server that answers with the machine's uptime counter, and a client with a short deadline.
LISTEN = "import socket; s = socket.create_server(('', 7777)); open('/run/listening', 'w')\nwhile True: s.accept()"
CONNECT = "import socket, sys; socket.create_connection((sys.argv[1], 7777), 1)"


def reaches(lab: Lab, source: str, address: str) -> bool:
    return lab.machine(source).run(["python3", "-c", CONNECT, address]).returncode == 0


@pytest.fixture
def listener(lab: Lab) -> str:
    """host3 with something that accepts connections, apart from what it runs anyway; restarted afterwards."""
    host = lab.machine("host3")
    host.run(["/bin/sh", "-c", 'rm -f /run/listening; nohup python3 -c "$0" >/dev/null 2>&1 &', LISTEN])
    deadline = time.monotonic() + 10
    while host.run(["test", "-e", "/run/listening"]).returncode:
        assert time.monotonic() < deadline
    return host.spec.public


def test_a_machine_has_its_own_world(lab: Lab) -> None:
    done = lab.machine("node2").run(["/bin/sh", "-c", "hostname; cat; ls /run/hci-node >&2"], stdin="hello")
    assert done.returncode == 0
    assert done.stdout == "node2\nhello"
    assert "node1" not in lab.machine("node2").run(["ps", "ax"]).stdout


def test_a_timeout_ends_what_was_started(lab: Lab) -> None:
    with pytest.raises(subprocess.TimeoutExpired):
        lab.machine("host1").run(["sleep", "4711"], timeout=0.5)
    deadline = time.monotonic() + 5
    while "sleep 4711" in lab.machine("host1").run(["ps", "ax"]).stdout:
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_the_lab_itself_reaches_both_networks(lab: Lab) -> None:
    addresses = lab.run(["ip", "-o", "-4", "addr"]).stdout
    assert "10.83.0.254/24" in addresses
    assert "10.84.0.254/24" in addresses


def test_cut_and_heal(lab: Lab, listener: str) -> None:
    assert reaches(lab, "host2", listener)
    lab.machine("host3").cut()
    assert ("host3", "host", "up cut") in lab.status()
    assert not reaches(lab, "host2", listener)
    lab.machine("host3").heal()
    assert ("host3", "host", "up") in lab.status()
    assert reaches(lab, "host2", listener)


def test_power_loss_keeps_the_disk_and_loses_the_rest(lab: Lab) -> None:
    host = lab.machine("host3")
    host.run(["/bin/sh", "-c", "echo kept >/root/on-disk; touch /run/in-memory /tmp/in-memory"])
    host.kill()
    assert ("host3", "host", "down") in lab.status()
    with pytest.raises(LabError, match="host3 is not running"):
        host.run(["true"])
    with pytest.raises(LabError, match="host3 is not running"):
        host.kill()
    host.start()
    with pytest.raises(LabError, match="host3 is already running"):
        host.start()
    assert host.run(["cat", "/root/on-disk"]).stdout == "kept\n"
    assert not host.run(["/bin/sh", "-c", "cat /run/in-memory /tmp/in-memory"]).stdout


def test_a_host_returns_to_its_pool(lab: Lab) -> None:
    lab.machine("host2").kill()
    lab.machine("host2").start()
    uuid = lab.xe("host-list", "name-label=host2", "--minimal")
    deadline = time.monotonic() + 60
    while lab.xe("host-param-get", "uuid=%s" % uuid, "param-name=enabled") != "true" or not answers(lab, "host2"):
        assert time.monotonic() < deadline
        time.sleep(0.2)


def test_toolstack_restart(lab: Lab) -> None:
    host = lab.machine("host2")
    before = host.run(["pgrep", "-f", "xapi/main.py"]).stdout
    done = host.run(["/opt/xensource/bin/xe-toolstack-restart"])
    assert done.returncode == 0, done.stderr
    deadline = time.monotonic() + 30
    while not answers(lab, "host2"):
        assert time.monotonic() < deadline
        time.sleep(0.1)
    assert host.run(["pgrep", "-f", "xapi/main.py"]).stdout != before


def test_an_unknown_machine(lab: Lab) -> None:
    with pytest.raises(BadEnvironment, match="there is no machine host9"):
        lab.machine("host9")


def answers(lab: Lab, host: str) -> bool:
    return lab.machine(host).run(["/usr/bin/xe", "host-list", "--minimal"]).returncode == 0
