"""Which files of an SM tree go where on a host: this stand-in, or a real one of XCP-ng or upstream.

    real_tree.py TREE ROOT          lay TREE (a ``drivers`` folder, or tests/sm) out below the folder ROOT
    real_tree.py TREE --packages    print the Debian packages that the tree needs, one a line

Only libraries and plugins are laid out, not the tree's own SR drivers as programs: a host has the types whose
drivers are installed besides.
"""

import os
import shutil
import sys
from typing import Iterator, List, NamedTuple

HERE = os.path.dirname(os.path.abspath(__file__))
SM = "opt/xensource/sm"
PLUGINS = "etc/xapi.d/plugins"
PYTHON = "usr/lib/python3/dist-packages"
DATA = "usr/share/sm"
OWN = ("real_tree.py",)
REAL_PACKAGES = ["python3-bitarray", "uuid-runtime", "systemd", "lsof", "cgroup-tools"]
STAND_IN_PACKAGES = ["uuid-runtime"]


class Copy(NamedTuple):
    """One file: where it is, where it goes below the host's root, and with which mode."""

    source: str
    target: str
    mode: int = 0o644


def kind(tree: str) -> str:
    """``stand-in``, ``flat`` (8.3: modules side by side) or ``package`` (upstream: ../libs, ../compat-libs)."""
    if os.path.isdir(os.path.join(tree, "dom0")):
        return "stand-in"
    if os.path.isfile(os.path.join(tree, "SRCommand.py")):
        return "flat"
    if os.path.isdir(os.path.join(tree, "../libs/sm")):
        return "package"
    raise ValueError("%s is no drivers folder of a storage manager" % tree)


def packages(tree: str) -> List[str]:
    """Debian packages with what the tree's modules import and which programs they call."""
    return STAND_IN_PACKAGES if kind(tree) == "stand-in" else REAL_PACKAGES


def copies(tree: str) -> List[Copy]:
    """All files of the tree that a host gets, and the two Python modules of dom0 that plugins use."""
    layouts = {"stand-in": _stand_in, "flat": _flat, "package": _package}
    return list(layouts[kind(tree)](os.path.abspath(tree))) + list(_files(os.path.join(HERE, "dom0"), PYTHON))


def install(tree: str, root: str) -> None:
    """Copy them; files of the same name are replaced."""
    for copy in copies(tree):
        target = os.path.join(root, copy.target)
        os.makedirs(os.path.dirname(target), exist_ok=True)
        shutil.copyfile(copy.source, target)
        os.chmod(target, copy.mode)


def _stand_in(tree: str) -> Iterator[Copy]:
    for copy in _files(tree, SM, (".py", ".xml")):
        if os.path.basename(copy.source) not in OWN:
            yield copy
    for name in ("on-slave", "tapdisk-pause"):
        yield Copy(os.path.join(tree, "plugins", name), "%s/%s" % (PLUGINS, name), 0o755)


def _flat(tree: str) -> Iterator[Copy]:
    above = os.path.dirname(tree)
    yield from _files(tree, SM, (".py", ".xml"))
    yield from _files(os.path.join(tree, "plugins"), SM + "/plugins")
    yield Copy(os.path.join(tree, "on_slave.py"), PLUGINS + "/on-slave", 0o755)
    yield Copy(os.path.join(tree, "tapdisk-pause"), PLUGINS + "/tapdisk-pause", 0o755)
    yield Copy(os.path.join(above, "sm_typing/__init__.py"), PYTHON + "/sm_typing.py")
    yield Copy(os.path.join(above, "misc/fairlock/fairlock.py"), PYTHON + "/fairlock.py")


def _package(tree: str) -> Iterator[Copy]:
    above = os.path.dirname(tree)
    yield from _files(os.path.join(above, "compat-libs"), SM)
    for folder in ("", "core", "drivers", "plugins"):
        yield from _files(os.path.join(above, "libs/sm", folder), os.path.join(PYTHON, "sm", folder))
    yield Copy(os.path.join(above, "libs/sm/core/XE_SR_ERRORCODES.xml"), DATA + "/XE_SR_ERRORCODES.xml")
    for name in ("on-slave", "tapdisk-pause"):
        yield Copy(os.path.join(above, "scripts/plugins", name), "%s/%s" % (PLUGINS, name), 0o755)
    yield Copy(os.path.join(above, "misc/fairlock/fairlock.py"), PYTHON + "/fairlock.py")


def _files(folder: str, target: str, suffixes: "tuple[str, ...]" = (".py",)) -> Iterator[Copy]:
    for name in sorted(os.listdir(folder)):
        if name.endswith(suffixes):
            yield Copy(os.path.join(folder, name), os.path.join(target, name), 0o755 if target == SM else 0o644)


def main(argv: List[str]) -> None:
    """See the head of this file."""
    if len(argv) != 2:
        sys.exit(__doc__)
    if argv[1] == "--packages":
        print("\n".join(packages(argv[0])))
    else:
        install(argv[0], argv[1])


if __name__ == "__main__":
    main(sys.argv[1:])
