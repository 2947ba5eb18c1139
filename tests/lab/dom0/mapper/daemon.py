"""One qemu-storage-daemon: an RBD image opened by librbd and served as a regular file by FUSE.

https://qemu.readthedocs.io/en/v7.2.0/tools/qemu-storage-daemon.html
"""

import configparser
import contextlib
import os
import signal
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

PROGRAM = "/usr/bin/qemu-storage-daemon"
START_DEADLINE = 15.0
STOP_DEADLINE = 5.0
POLL = 0.01


class MapFailed(Exception):
    """A request was not fulfilled; the text is one sentence."""


@dataclass(frozen=True)
class Source:
    """What is mapped; ``snapshot`` may be empty."""

    pool: str
    namespace: str
    image: str
    snapshot: str
    read_only: bool


def export(folder: Path) -> Path:
    """The file that shows the image."""
    return folder / "image"


def configuration(options: dict[str, str], conffile: str | None, key: str | None, user: str, folder: Path) -> str:
    """Text of a ceph.conf: the caller's file, overridden by ``options``; a key goes into a file of its own."""
    parser = configparser.RawConfigParser(strict=False, allow_no_value=True, delimiters=("=",))
    parser.optionxform = _option_name  # type: ignore[assignment, method-assign]
    if conffile:
        try:
            with open(conffile, encoding="utf-8") as file:
                parser.read_file(file)
        except configparser.Error as error:
            raise MapFailed("%s is not a Ceph configuration: %s" % (conffile, error.message)) from error
    if not parser.has_section("global"):
        parser.add_section("global")
    for name, value in options.items():
        parser.set("global", _option_name(name), value)
    if key:
        keyring = folder / "keyring"
        _write_secret(keyring, "[client.%s]\n\tkey = %s\n" % (user, key))
        for section in parser.sections():  # a keyring named for all clients would win over [global]
            parser.remove_option(section, "keyring")
        parser.set("global", "keyring", str(keyring))
    lines = []
    for section in parser.sections():
        lines.append("[%s]" % section)
        lines += ["%s = %s" % (name, value) for name, value in parser.items(section)]
    return "\n".join(lines) + "\n"


def start(folder: Path, source: Source, user: str, conf: str) -> None:
    """Start the daemon and wait until the file shows the image. Raises MapFailed."""
    _write_secret(folder / "ceph.conf", conf)
    export(folder).touch(mode=0o600)
    with (folder / "log").open("w", encoding="utf-8") as log:
        process = subprocess.Popen(
            _argv(folder, source, user),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    (folder / "pid").write_text("%d" % process.pid, encoding="ascii")
    deadline = time.monotonic() + START_DEADLINE
    while not _is_mounted(folder):
        if process.poll() is not None:
            reason = (folder / "log").read_text(encoding="utf-8", errors="replace").strip().splitlines()
            raise MapFailed("%s/%s: %s" % (source.pool, source.image, reason[-1] if reason else "no reason given"))
        if time.monotonic() > deadline:
            process.kill()
            process.wait()
            raise MapFailed("%s/%s: no answer within %d s" % (source.pool, source.image, START_DEADLINE))
        time.sleep(POLL)


def is_serving(folder: Path) -> bool:
    """Whether the daemon of this map lives and its file is mounted."""
    return _pid(folder) is not None and _is_mounted(folder)


def stop(folder: Path) -> None:
    """SIGTERM, then SIGKILL: a daemon whose cluster is gone cannot flush and never ends by itself."""
    pid = _pid(folder)
    if pid is None:
        return
    for number, patience in ((signal.SIGTERM, STOP_DEADLINE), (signal.SIGKILL, STOP_DEADLINE)):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)
        deadline = time.monotonic() + patience
        while time.monotonic() < deadline:
            if _pid(folder) is None:
                return
            time.sleep(POLL)
    raise MapFailed("the daemon %d does not end after SIGKILL" % pid)


def _argv(folder: Path, source: Source, user: str) -> list[str]:
    writable = not (source.read_only or source.snapshot)
    image = {
        "driver": "rbd",
        "node-name": "image",
        "pool": source.pool,
        "namespace": source.namespace,
        "image": source.image,
        "snapshot": source.snapshot,
        "user": user,
        "conf": str(folder / "ceph.conf"),
        "cache.direct": "on",
        "read-only": "off" if writable else "on",
    }
    shown = {
        "type": "fuse",
        "id": "export",
        "node-name": "image",
        "mountpoint": str(export(folder)),
        "writable": "on" if writable else "off",
        "growable": "off",
    }
    return [PROGRAM, "--blockdev", _options(image), "--export", _options(shown)]


def _option_name(name: str) -> str:
    """Ceph takes "mon host", "mon-host" and "mon_host" for the same."""
    return name.strip().lower().replace(" ", "_").replace("-", "_")


def _options(values: dict[str, str]) -> str:
    """QEMU's keyval syntax: a comma in a value is doubled; empty values are left out."""
    return ",".join("%s=%s" % (name, value.replace(",", ",,")) for name, value in values.items() if value)


def _pid(folder: Path) -> int | None:
    """The daemon's pid while it lives; the command line tells it from a later process of the same number."""
    try:
        pid = int((folder / "pid").read_text(encoding="ascii"))
        command = Path("/proc/%d/cmdline" % pid).read_bytes()
    except (OSError, ValueError):
        return None
    return pid if os.fsencode(folder) in command else None


def _is_mounted(folder: Path) -> bool:
    mounts = Path("/proc/self/mountinfo").read_text(encoding="utf-8", errors="replace")
    return any(line.split()[4] == str(export(folder)) for line in mounts.splitlines())


def _write_secret(path: Path, text: str) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with open(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
