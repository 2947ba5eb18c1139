"""What makes a machine an XCP-ng host: files that dom0 has, stand-ins for programs, the simulated xapi."""

import json
import os
import socket
import time
import uuid
from pathlib import Path

from lab import enter, hostinstall
from lab.machine import Machine
from lab.rootfs import REPOSITORY
from lab.service import Service
from lab.state import LabError

OWN_FOLDERS = (
    *("/etc/ceph", "/var/lib/ceph", "/etc/lab", "/etc/xensource", "/etc/xapi.d", "/etc/xapi.conf.d"),
    *("/var/lib/xcp", "/var/xapi", "/opt/xensource", "/usr/libexec/xcpng-ceph-hci", "/var/lib/rpm", "/var/log"),
)
DOM0 = REPOSITORY / "tests" / "lab" / "dom0"
# The stand-ins are links into the repository, which every machine sees at its own place.
PROGRAMS = {
    "/usr/bin/xe": DOM0 / "xe",
    "/usr/sbin/tap-ctl": DOM0 / "tap-ctl",
    "/opt/xensource/bin/xe-toolstack-restart": DOM0 / "xe-toolstack-restart",
    "/usr/libexec/xcpng-ceph-hci/mappers/fuse": DOM0 / "mapper-fuse",
    "/usr/sbin/lsof": Path("/usr/bin/lsof"),  # SM asks for it by dom0's path
    "/usr/bin/cgclassify": Path("/bin/true"),  # dom0's control groups have no counterpart here
}
ROOT_PASSWORD = "lab"
XAPI_DEADLINE = 60.0
XAPI_CONF = """\
# The list of XCP-ng 8.3.
sm-plugins=ext nfs iscsi lvmoiscsi dummy file hba rawhba udev iso lvm lvmohba lvmofcoe shm smb cephfs glusterfs xfs \
zfs largeblock
"""
INVENTORY = """\
PRIMARY_DISK='/dev/sda'
PRODUCT_VERSION='8.3.0'
PRODUCT_BRAND='XCP-ng'
PRODUCT_NAME='xenenterprise'
INSTALLATION_UUID='%s'
CONTROL_DOMAIN_UUID='%s'
MANAGEMENT_INTERFACE='xenbr0'
MANAGEMENT_ADDRESS_TYPE='IPv4'
"""


def prepare(machine: Machine, loop_numbers: range, sm_tree: Path) -> None:
    """Fill a new host's file system, before its first boot."""
    machine.create(OWN_FOLDERS)
    write(machine, "/etc/xensource-inventory", INVENTORY % (uuid.uuid4(), uuid.uuid4()))
    write(machine, "/etc/xensource/pool.conf", "master")
    write(machine, "/etc/xapi.conf", XAPI_CONF)
    settings = {
        "address": machine.spec.public,
        "root_password": ROOT_PASSWORD,
        "host_name": machine.spec.name,
    }
    write(machine, "/etc/lab/xapi.json", json.dumps(settings))
    write(machine, "/etc/lab/loops.json", json.dumps([loop_numbers.start, len(loop_numbers)]))
    write(machine, "/etc/hosts", "127.0.0.1 localhost\n%s %s\n" % (machine.spec.public, machine.spec.name))
    for path, target in PROGRAMS.items():
        link = machine.upper / path.lstrip("/")
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to(target)
    hostinstall.install_sm(machine.upper, sm_tree)
    hostinstall.install_python_modules(machine.upper)
    machine.describe(services(xapi=False), {})


def services(xapi: bool) -> list[Service]:
    """What a host runs; the toolstack comes up by itself only once the host is installed."""
    environment = {"PATH": enter.ENVIRONMENT["PATH"], "PYTHONDONTWRITEBYTECODE": "1"}
    main = str(REPOSITORY / "tests" / "lab" / "xapi" / "main.py")
    return [
        Service("syslog", [enter.PYTHON, "-S", str(DOM0 / "syslog")], "/var/log/syslog.log", environment),
        Service("xapi", [enter.PYTHON, main], "/var/log/xensource.log", environment, restart=True, manual=not xapi),
    ]


def sm_tree() -> Path:
    """The storage manager to use: SM_TREE, a real one's drivers folder, or the repository's stand-in."""
    return Path(os.environ.get("SM_TREE") or REPOSITORY / "tests" / "sm")


def write(machine: Machine, path: str, text: str, mode: int = 0o644) -> None:
    """Write a file of the machine's own layer, as root's and with this mode."""
    target = machine.upper / path.lstrip("/")
    target.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
    with open(descriptor, "w", encoding="utf-8") as file:
        file.write(text)


def start_toolstack(machine: Machine) -> None:
    """Start xapi, now and at every later boot, and wait until it answers. Raises LabError."""
    machine.control("start xapi")
    machine.describe(services(xapi=True), {})
    deadline = time.monotonic() + XAPI_DEADLINE
    while True:
        try:
            socket.create_connection((machine.spec.public, 80), 1.0).close()
            return
        except OSError as error:
            if time.monotonic() > deadline:
                log = machine.upper / "var/log/xensource.log"
                text = log.read_text(encoding="utf-8", errors="replace") if log.exists() else ""
                raise LabError("%s: xapi does not answer: %s\n%s" % (machine.spec.name, error, text[-2000:])) from None
        time.sleep(0.05)
