"""Keeps the logs of a lab whose story failed; the lab itself is deleted with everything in it."""

import shutil
from pathlib import Path

from lab.lab import Lab

FOLDER = Path("/var/tmp")
LIMIT = 20 << 20  # bytes of one log


def keep(lab: Lab) -> Path:
    """Copy every machine's logs to a new folder below /var/tmp and return it. Never fails for a missing log."""
    target = FOLDER / ("xcpng-ceph-hci-%s-logs" % lab.name)
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir()
    _copy(lab.state.logs, target / "machines")
    init = lab.state.init()
    if init:
        live = Path("/proc/%d/root%s" % (init.pid, lab.state.live))
        for machine in lab.environment.machines:
            _copy(live / machine.name / "upper/var/log", target / machine.name)
    return target


def _copy(source: Path, target: Path) -> None:
    for path in sorted(source.rglob("*")):
        if path.is_file() and not path.is_symlink() and path.stat().st_size < LIMIT:
            copy = target / path.relative_to(source)
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(path, copy)
