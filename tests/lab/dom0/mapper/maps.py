"""The maps of this machine, each a folder under /run: its source, Ceph configuration, daemon and file.

A reboot forgets them all together with their daemons, as the kernel forgets rbd devices.
"""

import contextlib
import errno
import fcntl
import hashlib
import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

from lab import syscalls
from lab.dom0.mapper import daemon
from lab.dom0.mapper.daemon import MapFailed, Source

BASE = Path("/run/mapper-fuse")


class Maps:
    """All maps below one folder."""

    def __init__(self, base: Path = BASE) -> None:
        self.base = base

    def map(self, source: Source, user: str, options: dict[str, str], conffile: str | None, key: str | None) -> str:
        """The path that shows ``source``; the same again for a source that is mapped. Raises MapFailed."""
        folder = self.base / _name(source)
        with self._locked(folder.name):
            if daemon.is_serving(folder):
                return str(daemon.export(folder))
            _clear(folder)
            folder.mkdir(mode=0o700)
            (folder / "source.json").write_text(json.dumps(asdict(source)), encoding="utf-8")
            try:
                daemon.start(folder, source, user, daemon.configuration(options, conffile, key, user, folder))
            except (MapFailed, OSError):
                _clear(folder)
                raise
            return str(daemon.export(folder))

    def unmap(self, device: str) -> None:
        """Take a map away; fine when it is gone, also without its cluster. Raises MapFailed while it is in use."""
        folder = Path(device).parent
        if folder.parent != self.base:
            raise MapFailed("%s was not mapped by this mapper" % device)
        with self._locked(folder.name):
            if not folder.exists():
                return
            try:
                syscalls.umount(device)
            except OSError as error:
                if error.errno == errno.EBUSY:
                    raise MapFailed("%s is in use" % device) from error
                # EINVAL: not mounted, the daemon is dead already; ENOTCONN: its file is
            daemon.stop(folder)
            _clear(folder)

    def all(self) -> Iterator[tuple[str, Source]]:
        """(path, source) of every map whose daemon lives."""
        for record in sorted(self.base.glob("*/source.json")):
            if daemon.is_serving(record.parent):
                source = Source(**json.loads(record.read_text(encoding="utf-8")))
                yield str(daemon.export(record.parent)), source

    @contextmanager
    def _locked(self, name: str) -> Iterator[None]:
        self.base.mkdir(mode=0o700, exist_ok=True)
        with open(self.base / (name + ".lock"), "w", encoding="ascii") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield


def _name(source: Source) -> str:
    """A folder per source; the path of a unix socket in it must stay below 108 bytes."""
    return hashlib.sha256(json.dumps(asdict(source), sort_keys=True).encode("utf-8")).hexdigest()[:16]


def _clear(folder: Path) -> None:
    """Remove what is left of a map whose daemon is gone."""
    with contextlib.suppress(OSError):
        syscalls.umount(os.fspath(daemon.export(folder)), syscalls.MNT_DETACH)
    shutil.rmtree(folder, ignore_errors=True)
