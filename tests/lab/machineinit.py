"""PID 1 of a machine: builds its world, runs its services, reaps.

Started inside the lab as `python3 -m lab.machineinit FOLDER FD`, FD one end of a socket pair with the
starter. It says "pid N", waits for "go" (the starter has plugged the cables by then), and says "ready" once
the services are started. Afterwards it obeys two things only: SIGTERM is a clean shutdown, and a line
"start|stop|restart SERVICE" on its socket, as systemctl would.
"""

import contextlib
import json
import os
import select
import signal
import socket
import sys
from pathlib import Path

from lab import blktap, envfile, network, rootfs, syscalls
from lab.service import Running, Service

CONTROL = "/run/lab-init"
TICK = 0.2


def main(folder: str, descriptor: int) -> None:
    """Become the init of the machine described by machine.json in ``folder``."""
    starter = socket.socket(fileno=descriptor)
    os.setsid()
    syscalls.unshare(syscalls.CLONE_NEWPID | syscalls.CLONE_NEWNET)
    pid = os.fork()
    if pid:
        starter.sendall(b"pid %d\n" % pid)
        os._exit(0)
    if starter.recv(16) != b"go\n":
        os._exit(1)
    syscalls.unshare(syscalls.CLONE_NEWNS | syscalls.CLONE_NEWUTS | syscalls.CLONE_NEWIPC)
    description = json.loads(Path(folder, "machine.json").read_text(encoding="utf-8"))
    _boot(Path(folder), description)
    init = Init([Service(**service) for service in description["services"]])
    init.start()
    starter.sendall(b"ready\n")
    starter.close()
    init.run()


def _boot(folder: Path, description: dict[str, object]) -> None:
    environment = envfile.parse(str(description["environment"]))
    machine = environment.machine(str(description["name"]))
    socket.sethostname(machine.name)
    network.set_addresses(machine, environment.networks)
    files = description["files"]
    assert isinstance(files, dict)
    rootfs.enter(folder, files)
    if machine.kind == "host":
        blktap.pretend()


class Init:
    """The services of one machine."""

    def __init__(self, services: list[Service]) -> None:
        self.services = [Running(service) for service in services]
        self.stopping = False
        self.control = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)

    def start(self) -> None:
        signal.signal(signal.SIGTERM, self._terminate)
        self.control.bind(CONTROL)
        os.chmod(CONTROL, 0o600)
        self.control.listen(4)
        for running in self.services:
            if not running.service.manual:
                running.start()

    def run(self) -> None:
        """Work until SIGTERM; then stop the services, last one first, and end."""
        while not self.stopping:
            readable, _, _ = select.select([self.control], [], [], TICK)
            if readable:
                self._answer()
            for service in self.services:
                service.look()
            self._reap_strangers()
        for service in reversed(self.services):
            service.stop()

    def _terminate(self, *_: object) -> None:
        self.stopping = True

    def _answer(self) -> None:
        connection, _ = self.control.accept()
        with connection, contextlib.suppress(OSError):  # the asker may be gone; that is its own affair
            connection.settimeout(1.0)
            words = connection.recv(256).decode("utf-8", "replace").split()
            connection.settimeout(None)
            connection.sendall(b"ok\n" if self._obey(words) else b"not understood\n")

    def _obey(self, words: list[str]) -> bool:
        """start, stop or restart a service."""
        found = [running for running in self.services if words[1:] == [running.service.name]]
        if not found or words[0] not in ("start", "stop", "restart"):
            return False
        if words[0] != "start":
            found[0].stop()
        if words[0] != "stop":
            found[0].start()
        return True

    def _reap_strangers(self) -> None:
        """Collect orphans, but leave the exit status of a service to its Popen object."""
        own = {running.process.pid for running in self.services if running.process is not None}
        with contextlib.suppress(ChildProcessError):
            while ended := os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT):
                if ended.si_pid in own:
                    return
                os.waitpid(ended.si_pid, 0)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
