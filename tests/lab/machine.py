"""Starting and ending machines; everything here runs inside the lab's namespaces."""

import contextlib
import json
import os
import signal
import socket
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

from lab import enter, envfile, network, rootfs
from lab.service import STOP_DEADLINE, Service
from lab.state import LabError, Process, State, read_process, write_process

START_DEADLINE = 20.0
CONTROL = """
import socket, sys
init = socket.socket(socket.AF_UNIX)
init.connect("/run/lab-init")
init.sendall(sys.argv[1].encode() + b"\\n")
sys.stdout.write(init.recv(64).decode())
"""


class Machine:
    """One machine of the lab, seen from the lab's own namespaces."""

    def __init__(self, state: State, environment: envfile.Environment, name: str) -> None:
        self.state = state
        self.environment = environment
        self.spec = environment.machine(name)
        self.folder = state.live / name
        self.cut_mark = self.folder / "cut"

    @property
    def upper(self) -> Path:
        """The machine's own layer of the file system; writable before the machine starts."""
        return self.folder / "upper"

    def create(self, own_folders: Sequence[str]) -> None:
        """Make an empty machine; ``own_folders`` hide what this computer has at these paths."""
        rootfs.prepare(self.folder, own_folders)

    def describe(self, services: Sequence[Service], files: Mapping[str, str]) -> None:
        """Write down what its init starts and which files from outside it sees."""
        description = {
            "name": self.spec.name,
            "environment": self.state.environment_file.read_text(encoding="utf-8"),
            "services": [asdict(service) for service in services],
            "files": dict(files),
        }
        (self.folder / "machine.json").write_text(json.dumps(description, indent=1), encoding="utf-8")

    def process(self) -> Process | None:
        """Its living init, if any."""
        process = read_process(self.folder / "init.json")
        return process if process and process.alive else None

    def start(self) -> None:
        """Power on. Raises LabError when it is on already or does not come up."""
        if self.process():
            raise LabError("%s is already running" % self.spec.name)
        network.unplug(self.spec)
        ours, theirs = socket.socketpair()
        with ours, self.state.log(self.spec.name).open("ab") as log:
            with theirs:
                subprocess.Popen(
                    enter.module("machineinit", str(self.folder), str(theirs.fileno())),
                    pass_fds=[theirs.fileno()],
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    env=enter.module_environment(),
                )
            ours.settimeout(START_DEADLINE)
            pid = int(self._expect(ours, "pid").split()[1])
            write_process(self.folder / "init.json", Process.of(pid))
            network.plug(self.spec, self.environment.networks, pid, cut=self.cut_mark.exists())
            ours.sendall(b"go\n")
            self._expect(ours, "ready")

    def stop(self) -> None:
        """Clean shutdown: services in order, then power off."""
        process = self._running()
        os.kill(process.pid, signal.SIGTERM)
        deadline = time.monotonic() + 2 * STOP_DEADLINE
        while process.alive and time.monotonic() < deadline:
            time.sleep(0.02)
        process.kill()
        network.unplug(self.spec)

    def kill(self) -> None:
        """Power loss. The cable goes silent first: a dying kernel must not say goodbye to peers."""
        process = self._running()
        network.cut(self.spec)
        process.kill()
        network.unplug(self.spec)

    def cut(self) -> None:
        """Pull the machine's cables; stays so over a restart."""
        self.cut_mark.touch()
        network.cut(self.spec)

    def heal(self) -> None:
        """Plug the cables back in."""
        self.cut_mark.unlink(missing_ok=True)
        network.heal(self.spec)

    def run(self, argv: Sequence[str], timeout: float) -> "subprocess.CompletedProcess[str]":
        """Run a program in the machine, as root with a plain environment."""
        return subprocess.run(
            enter.argv(self._running().pid, argv),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=timeout,
            env=enter.ENVIRONMENT,
        )

    def control(self, request: str) -> None:
        """Ask its init to start, stop or restart a service."""
        done = self.run([enter.PYTHON, "-S", "-c", CONTROL, request], START_DEADLINE)
        if done.returncode or done.stdout != "ok\n":
            raise LabError("%s: %s: %s" % (self.spec.name, request, done.stdout + done.stderr))

    def _running(self) -> Process:
        process = self.process()
        if process is None:
            raise LabError("%s is not running" % self.spec.name)
        return process

    def _expect(self, starter: socket.socket, word: str) -> str:
        line = ""
        with contextlib.suppress(TimeoutError):
            line = starter.recv(64).decode("ascii")
        if not line.startswith(word):
            log = self.state.log(self.spec.name).read_text(encoding="utf-8", errors="replace")
            raise LabError("%s does not start:\n%s" % (self.spec.name, log[-2000:]))
        return line


def all_machines(state: State) -> list[Machine]:
    """Every machine of the lab's environment."""
    environment = state.environment()
    return [Machine(state, environment, spec.name) for spec in environment.machines]
