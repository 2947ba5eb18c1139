"""Ceph's own programs as far as a node needs them, one function per verb.

Each dies with hci-node, so that a new start never meets a half-done one still at work.
"""

import json
import os
from typing import Dict, List, Sequence

from cephhci.errors import CommandFailed
from cephhci.node.durable import Owner
from cephhci.run import run

QUICK = 60.0  # seconds; these take well under one
MKFS = 600.0  # seconds; a large slow disk may take a minute
CONNECT = 10  # seconds until the ceph command gives up on the monitors


class Tools:
    """``owner``: the user that daemons and tools run as."""

    def __init__(self, conf: str, owner: Owner) -> None:
        self._conf = conf
        self._owner = owner

    def daemon(self, program: str, name: str) -> List[str]:
        """Command line of a daemon in the foreground."""
        return self._as_owner([program, "-f", "-i", name, "-c", self._conf])

    def release(self) -> str:
        """Name of the installed release, such as "pacific"."""
        words = run(["ceph-mon", "--version"], QUICK).decode("utf-8", "replace").split()
        if len(words) < 5 or not words[4].isalpha():
            raise CommandFailed(program="ceph-mon", status="exit code 0", stderr="unknown version")
        return words[4]

    def monmap_create(self, path: str, fsid: str, monitors: Dict[str, str], release: str) -> None:
        """https://docs.ceph.com/en/pacific/man/8/monmaptool/ ; ``monitors``: address vectors by name."""
        argv = ["monmaptool", "--create", "--clobber", "--fsid", fsid]
        argv += ["--enable-all-features", "--set-min-mon-release", release]
        for name, addresses in sorted(monitors.items()):
            argv += ["--addv", name, addresses]
        self._run(argv + [path], QUICK)

    def mon_mkfs(self, name: str, data: str, monmap: str, keyring: str) -> None:
        argv = ["ceph-mon", "--mkfs", "-i", name, "-c", self._conf, "--mon-data", data]
        self._run(argv + ["--monmap", monmap, "--keyring", keyring], MKFS)

    def osd_new(self, uuid: str, key: str, keyring: str) -> int:
        """The id of the OSD with this uuid and key, made when there is none; a repeat changes nothing."""
        argv = ["ceph", "-c", self._conf, "--connect-timeout", str(CONNECT)]
        argv += ["-n", "client.bootstrap-osd", "-k", keyring, "-i", "-", "osd", "new", uuid]
        output = self._run(argv, QUICK, json.dumps({"cephx_secret": key}).encode("ascii"), as_root=True)
        return int(output.decode("ascii"))

    def osd_mkfs(self, number: int, uuid: str, data: str, key: str) -> None:
        """Make the object store on the disk that ``data``/block names; its label gets the key, too."""
        # Without -f the work is done by a forked child, which outlives both a kill and this process.
        argv = ["ceph-osd", "-f", "--mkfs", "-i", str(number), "-c", self._conf, "--osd-data", data]
        argv += ["--osd-uuid", uuid, "--no-mon-config", "--keyfile", "-"]
        # It closes the disk some ten times and waits up to this long for a thread each time: 3 s become 1 s.
        argv += ["--bdev-aio-poll-ms", "10"]
        self._run(argv, MKFS, key.encode("ascii"))

    def show_label(self, device: str) -> Dict[str, str]:
        """Fields of a disk's BlueStore label; holds the OSD's key."""
        output = self._run(["ceph-bluestore-tool", "show-label", "--dev", device], QUICK, as_root=True)
        (label,) = json.loads(output.decode("utf-8")).values()
        return {name: str(value) for name, value in label.items()}

    def prime_osd_dir(self, device: str, data: str) -> None:
        """Fill an OSD's data directory from its disk's label (all but the link to the disk)."""
        self._run(["ceph-bluestore-tool", "prime-osd-dir", "--dev", device, "--path", data], QUICK)

    def signature(self, device: str) -> str:
        """What the disk holds as far as blkid can tell, such as "ext4"; empty when it finds nothing."""
        argv = ["blkid", "-p", "-o", "value", "-s", "TYPE", "-s", "PTTYPE", device]
        try:
            return " ".join(run(argv, QUICK).decode("utf-8", "replace").split())
        except CommandFailed:
            return ""  # exit code 2: nothing found, 8: several contradicting things

    def _run(self, argv: Sequence[str], timeout: float, stdin: bytes = b"", as_root: bool = False) -> bytes:
        prefixed = _dying_with_us(argv, []) if as_root else self._as_owner(argv)
        try:
            return run(prefixed, timeout, stdin)
        except CommandFailed as error:
            error.fields["program"] = argv[0]
            raise

    def _as_owner(self, argv: Sequence[str]) -> List[str]:
        # setpriv instead of Ceph's own --setuser: a later change of user would clear the parent-death signal.
        user: List[str] = []
        if self._owner.uid != 0:
            user = ["--reuid", str(self._owner.uid), "--regid", str(self._owner.gid), "--init-groups"]
        return _dying_with_us(argv, user)


def _dying_with_us(argv: Sequence[str], user: Sequence[str]) -> List[str]:
    """The command line that ends ``argv`` whenever this process ends."""
    # Who was killed before setpriv asked for the signal sends none: the script sees that its parent is another.
    alive = 'test "$PPID" = "$0" && exec "$@"'
    return ["setpriv", "--pdeathsig", "KILL", *user, "/bin/sh", "-c", alive, str(os.getpid()), *argv]
