"""Puts software into a host: the storage manager, XAPI's Python modules, and the project's own package."""

import os
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

from lab import enter
from lab.machine import Machine
from lab.rootfs import REPOSITORY
from lab.state import LabError

PYTHON_MODULES = "usr/lib/python3/dist-packages"
TESTS_CACHE = Path(os.environ.get("HCI_TEST_CACHE", "/var/cache/xcpng-ceph-hci-tests"))
INSTALL_TIMEOUT = 60.0


def install_sm(upper: Path, tree: Path) -> None:
    """Lay out a storage manager's tree as its own packaging would. Raises LabError when it is none."""
    program = REPOSITORY / "tests" / "sm" / "real_tree.py"
    argv = [enter.PYTHON, str(program), str(tree), str(upper)]
    done = subprocess.run(argv, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, timeout=INSTALL_TIMEOUT)
    if done.returncode:
        raise LabError("the storage manager %s cannot be installed:\n%s" % (tree, done.stderr[-1000:].strip()))


def install_python_modules(upper: Path) -> None:
    """XenAPI, as published by the XAPI project."""
    found = sorted(TESTS_CACHE.glob("debian/lib/python3*/site-packages/XenAPI"))
    if not found:
        raise LabError("the Python package XenAPI is not in %s: run tests/install" % TESTS_CACHE)
    target = upper / PYTHON_MODULES
    shutil.copytree(found[0], target / "XenAPI", dirs_exist_ok=True, ignore=shutil.ignore_patterns("__pycache__"))


def packages() -> list[Path]:
    """The RPMs to install: LAB_RPMS (paths separated by colons), or the project's own, built from HEAD."""
    named = os.environ.get("LAB_RPMS", "")
    if named:
        return [Path(path).resolve() for path in named.split(":")]
    from package.build import SITELIB_DEBIAN, BuildFailed, build_rpm

    try:
        return [build_rpm(SITELIB_DEBIAN)]
    except BuildFailed as error:
        raise LabError("the package cannot be built:\n%s" % error) from error


def install(host: Machine, rpms: Sequence[Path]) -> None:
    """Install packages in a running host, with their scriptlets. Raises LabError."""
    # Debian is no RPM system: its database starts empty, so no dependency can be found in it.
    argv = ["/usr/bin/rpm", "--force-debian", "--dbpath", "/var/lib/rpm", "--nodeps", "--install"]
    done = host.run([*argv, *map(str, rpms)], INSTALL_TIMEOUT)
    if done.returncode:
        raise LabError("%s: rpm failed:\n%s" % (host.spec.name, done.stderr.strip()))
