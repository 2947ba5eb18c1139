"""A running pool with a recording driver, plugins and hooks in a folder of the test, and ``xe`` on it."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import recording_driver
import XenAPI
from xapi_pool import PASSWORD, Host, hosts

from lab.xapi.paths import PATHS
from lab.xe import main

CAPABILITIES = """SR_PROBE SR_UPDATE SR_METADATA VDI_CREATE VDI_DELETE VDI_ATTACH VDI_DETACH VDI_ACTIVATE
    VDI_DEACTIVATE VDI_SNAPSHOT VDI_CLONE VDI_RESIZE VDI_RESIZE_ONLINE/2 VDI_UPDATE VDI_INTRODUCE
    VDI_GENERATE_CONFIG THIN_PROVISIONING ATOMIC_PAUSE""".split()


@dataclass
class Pool:
    """The hosts and the folder with what they run."""

    root: Path
    hosts: list[Host]
    capsys: pytest.CaptureFixture[str]

    @property
    def db(self) -> Any:
        return self.hosts[0].master.db

    def calls(self) -> list[dict[str, Any]]:
        """What the driver was called with since the last look."""
        log = self.root / "sm/calls"
        lines = log.read_text("utf-8").splitlines() if log.exists() else []
        log.write_text("", "utf-8")
        return [json.loads(line) for line in lines]

    def commands(self) -> str:
        """The driver's commands since the last look, as one line."""
        return " ".join(call["command"] for call in self.calls())

    def faults(self, **codes: int) -> None:
        """Let the driver answer these commands with faults."""
        (self.root / "sm/faults").write_text(json.dumps(codes), "utf-8")

    def xe(self, *words: str, host: int = 0) -> str:
        """The output of a command that must work."""
        code, out, err = self.try_xe(*words, host=host)
        assert code == 0, err
        return out.strip()

    def try_xe(self, *words: str, host: int = 0) -> tuple[int, str, str]:
        """Exit code, stdout and stderr of a command."""
        self.capsys.readouterr()
        target = self.hosts[host]
        login = ["-s", target.address, "-p", str(target.port), "-u", "root", "-pw", PASSWORD]
        code = main.run([*login, *words])
        out, err = self.capsys.readouterr()
        return code, out, err

    def refused(self, *words: str) -> str:
        """The text of a command that must fail."""
        code, out, err = self.try_xe(*words)
        assert (code, out) == (1, "")
        return err

    def program(self, name: str, text: str) -> None:
        """An executable Python program in the folder."""
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("#!/usr/bin/python3\n" + text, "utf-8")
        path.chmod(0o755)

    def sr(self, *more: str, shared: str = "true") -> str:
        """A new repository of the driver's type; the calls that it took are forgotten."""
        uuid = self.xe("sr-create", "name-label=golden", "type=ctr", f"shared={shared}", *more)
        self.calls()
        return uuid

    def vdi(self, sr: str, name: str = "disk-a", size: str = "8MiB") -> str:
        """A new disk; the calls that it took are forgotten."""
        uuid = self.xe("vdi-create", f"sr-uuid={sr}", f"name-label={name}", f"virtual-size={size}")
        self.calls()
        return uuid


def point_paths(patch: pytest.MonkeyPatch, root: Path) -> None:
    """Let the hosts of this process use a folder of the test."""
    patch.setattr(PATHS, "drivers", str(root / "sm"))
    patch.setattr(PATHS, "plugins", str(root / "plugins"))
    patch.setattr(PATHS, "hooks", str(root / "hooks"))
    patch.setattr(PATHS, "configuration", str(root / "xapi.conf"))
    patch.setattr(PATHS, "fragments", str(root / "xapi.conf.d"))
    patch.setattr(PATHS, "attachments", str(root / "attachments.json"))


@contextmanager
def running(root: Path, capsys: pytest.CaptureFixture[str], count: int = 1) -> Iterator[Pool]:
    """A pool of ``count`` hosts; the driver is registered on all of them."""
    xenapi = str(Path(XenAPI.__file__).parent.parent)
    pool = Pool(root, [], capsys)
    pool.program("sm/CtrSR", recording_driver.text(xenapi, CAPABILITIES).partition("\n")[2])
    pool.faults()
    (root / "xapi.conf").write_text("sm-plugins=ext ctr\n", "utf-8")
    with hosts(count) as started:
        pool.hosts = started
        (root / "sm/socket").write_text(str(started[0].socket), "utf-8")
        yield pool


def restart(host: Host) -> None:
    """Restart the toolstack of a host, as the command does."""
    host.stop()
    host.start()
