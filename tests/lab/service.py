"""The services of a machine: long-running programs that its init starts, watches and stops."""

import os
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

STOP_DEADLINE = 30.0
RESTART_PAUSE = 1.0


@dataclass(frozen=True)
class Service:
    """One program: what to run, and where its output goes inside the machine."""

    name: str
    argv: Sequence[str]
    log: str
    env: Mapping[str, str] = field(default_factory=dict)
    restart: bool = False  # start it again when it ends by itself with an error, as systemd's on-failure
    manual: bool = False  # not started with the machine


class Running:
    """A service together with its present process."""

    def __init__(self, service: Service) -> None:
        self.service = service
        self.process: subprocess.Popen[bytes] | None = None
        self.due: float | None = None  # when to start it again

    def start(self) -> None:
        """Start it, unless it runs."""
        self.due = None
        if self.process is not None and self.process.poll() is None:
            return
        os.makedirs(os.path.dirname(self.service.log), exist_ok=True)
        with open(self.service.log, "ab") as log:
            self.process = subprocess.Popen(
                self.service.argv,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=dict(self.service.env),
                start_new_session=True,
            )

    def stop(self) -> None:
        """SIGTERM, then SIGKILL after the deadline."""
        self.due = None
        if self.process is None:
            return
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(STOP_DEADLINE)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process = None

    def look(self) -> None:
        """Notice that the process has ended, and start it again when its turn has come."""
        if self.process is not None and self.process.poll() is not None:
            failed = self.process.returncode != 0
            self.process = None
            if failed and self.service.restart:
                self.due = time.monotonic() + RESTART_PAUSE
        if self.due is not None and time.monotonic() >= self.due:
            self.start()
