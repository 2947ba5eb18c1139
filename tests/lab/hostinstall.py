"""Puts software into a host: the storage manager, XAPI's Python modules, and the project's own package."""

import os
import shutil
from collections.abc import Sequence
from pathlib import Path

from lab.machine import Machine
from lab.rootfs import REPOSITORY
from lab.state import LabError

PYTHON_MODULES = "usr/lib/python3/dist-packages"
SM = "opt/xensource/sm"
PLUGINS = "etc/xapi.d/plugins"
# What a real tree's Makefile installs as plugins from the folder of the drivers: name there, name installed.
SM_PLUGINS = {"tapdisk-pause": "tapdisk-pause", "on_slave.py": "on-slave", "on-slave": "on-slave"}
TESTS_CACHE = Path(os.environ.get("HCI_TEST_CACHE", "/var/cache/xcpng-ceph-hci-tests"))
INSTALL_TIMEOUT = 60.0


def install_sm(upper: Path, tree: Path) -> None:
    """Copy a drivers folder as its own packaging would. Raises LabError when it is none."""
    if not (tree / "SRCommand.py").exists():
        raise LabError("%s is not a storage manager's drivers folder: it has no SRCommand.py" % tree)
    target = upper / SM
    target.mkdir(parents=True, exist_ok=True)
    for path in sorted(tree.iterdir()):
        if path.is_file():
            shutil.copy(path, target)
            if path.name.endswith("SR.py") and path.name != "SR.py":
                (target / path.stem).symlink_to(path.name)
    if (tree / "plugins").is_dir():
        shutil.copytree(tree / "plugins", target / "plugins", dirs_exist_ok=True)
    if (tree.parent / "sm_typing").is_dir():  # a real tree keeps it beside the drivers
        shutil.copytree(tree.parent / "sm_typing", upper / PYTHON_MODULES / "sm_typing")
    plugins = upper / PLUGINS
    plugins.mkdir(parents=True, exist_ok=True)
    for folder in (tree, tree / "plugins"):
        for name, installed in SM_PLUGINS.items():
            if (folder / name).is_file():
                shutil.copy(folder / name, plugins / installed)
                (plugins / installed).chmod(0o755)


def install_python_modules(upper: Path) -> None:
    """XenAPI, as published by the XAPI project, and the stand-in for XenAPIPlugin."""
    found = sorted(TESTS_CACHE.glob("debian/lib/python3*/site-packages/XenAPI"))
    if not found:
        raise LabError("the Python package XenAPI is not in %s: run tests/install" % TESTS_CACHE)
    target = upper / PYTHON_MODULES
    shutil.copytree(found[0], target / "XenAPI", dirs_exist_ok=True, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(REPOSITORY / "tests/sm/dom0/XenAPIPlugin.py", target)


def packages() -> list[Path]:
    """The RPMs to install: LAB_RPMS (paths separated by colons), or the project's own, built from HEAD."""
    named = os.environ.get("LAB_RPMS", "")
    if named:
        return [Path(path).resolve() for path in named.split(":")]
    from package.build import SITELIB_DEBIAN, BuildFailed, build_rpm

    try:
        return [build_rpm(SITELIB_DEBIAN)]
    except BuildFailed:
        return []  # not all parts of the package are there yet: copy what is


def install(host: Machine, rpms: Sequence[Path]) -> None:
    """Install packages in a running host, with their scriptlets. Raises LabError."""
    if not rpms:
        copy(host.upper)
        return
    # Debian is no RPM system: its database starts empty, so no dependency can be found in it.
    argv = ["/usr/bin/rpm", "--force-debian", "--dbpath", "/var/lib/rpm", "--nodeps", "--install"]
    done = host.run([*argv, *map(str, rpms)], INSTALL_TIMEOUT)
    if done.returncode:
        raise LabError("%s: rpm failed:\n%s" % (host.spec.name, done.stderr.strip()))


def copy(upper: Path) -> None:
    """Put the product's files where the package would."""
    for path in (REPOSITORY / "sm-driver").glob("*.py"):
        shutil.copy(path, upper / SM)
    (upper / SM / "CephSR.py").chmod(0o755)
    (upper / SM / "CephSR").symlink_to("CephSR.py")
    plugin = REPOSITORY / "xapi-plugins/hci"
    if plugin.exists():
        shutil.copy(plugin, upper / PLUGINS)
    shutil.copytree(
        REPOSITORY / "cephhci",
        upper / PYTHON_MODULES / "cephhci",
        ignore=shutil.ignore_patterns("__pycache__"),
        dirs_exist_ok=True,
    )
