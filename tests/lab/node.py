"""What makes a machine a Ceph node: the product's node program and the document that it follows."""

import os
import shutil
import sys
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

from lab import enter
from lab.envfile import Environment
from lab.host import write
from lab.hostinstall import PYTHON_MODULES
from lab.machine import Machine
from lab.rootfs import REPOSITORY
from lab.service import Service
from lab.state import LabError

sys.path.append(str(REPOSITORY))  # the lab makes the documents with the product's own code

from cephhci.errors import Error  # noqa: E402
from cephhci.node import seed  # noqa: E402
from cephhci.node.document import Interface  # noqa: E402

if TYPE_CHECKING:
    from cephhci.node.seed import Seed

OWN_FOLDERS = ("/etc/ceph", "/var/lib/ceph", "/var/log", "/var/crash")
DOCUMENT = "/etc/hci-node/document.json"
PROGRAM = "/usr/sbin/hci-node"
DISKS = "/disks"  # where a node sees its disks, which are files


def prepare(nodes: Sequence[Machine], environment: Environment) -> "Seed":
    """Fill the file systems of all nodes of a new cluster. Raises LabError when its documents are refused."""
    specs = [_spec(machine, environment) for machine in nodes]
    wanted = seed.ClusterSpec(specs, environment.ceph_pool, environment.ceph_options)
    try:
        made = seed.cluster(wanted, os.urandom, int(time.time()))
    except Error as error:
        raise LabError("the node program refuses this cluster: %s" % error.sentence) from error
    for machine in nodes:
        _fill(machine, made.documents[machine.spec.name])
    return made


def _spec(machine: Machine, environment: Environment) -> seed.NodeSpec:
    subnets = {network.name: str(network.subnet) for network in environment.networks}
    public = Interface(machine.spec.public, subnets["public"])
    addresses = machine.spec.addresses
    cluster = Interface(addresses["cluster"], subnets["cluster"]) if "cluster" in addresses else public
    disks = ["%s/%s" % (DISKS, disk) for disk in machine.spec.disks]
    return seed.NodeSpec(machine.spec.name, public, cluster, disks, machine.spec.name)


def _fill(machine: Machine, document: str) -> None:
    machine.create(OWN_FOLDERS)
    write(machine, DOCUMENT, document, 0o600)
    program = machine.upper / PROGRAM.lstrip("/")
    program.parent.mkdir(parents=True)
    shutil.copy(REPOSITORY / "node/hci-node", program)
    shutil.copytree(
        REPOSITORY / "cephhci",
        machine.upper / PYTHON_MODULES / "cephhci",
        ignore=shutil.ignore_patterns("__pycache__"),
    )
    name = machine.spec.name
    disks = {"%s/%s" % (DISKS, disk): str(machine.state.disk(name, disk)) for disk in machine.spec.disks}
    environment = {"PATH": enter.ENVIRONMENT["PATH"], "LANG": "C.UTF-8", "PYTHONDONTWRITEBYTECODE": "1"}
    service = Service("hci-node", [PROGRAM, "run", DOCUMENT], "/var/log/hci-node.log", environment, restart=True)
    machine.describe([service], disks)
