"""Keeps daemons running: restarts what dies, gives up loudly on what keeps dying, stops all in order."""

import logging
import signal
import time
from typing import Callable, Dict, List, Optional, Sequence

from cephhci.errors import Error
from cephhci.run import Process

RUNNING, WAITING, FAILED, STOPPED = "running", "waiting", "failed", "stopped"
DEATHS = 5  # a daemon that dies this often ...
WINDOW = 600.0  # ... within these seconds is given up; the cause needs somebody to look
FIRST_DELAY, LONGEST_DELAY = 1.0, 30.0  # seconds before a restart; doubled with each death
POLL = 0.05  # seconds between looks while daemons stop

Spawn = Callable[[Sequence[str], str], Process]
logger = logging.getLogger(__name__)


class Daemon:
    """One process that has to run; ``deaths`` are the times of its recent ends."""

    def __init__(self, name: str, argv: Sequence[str], log: str, before: Callable[[], None]) -> None:
        self.name = name
        self.argv = argv
        self.log = log
        self.before = before
        self.state = WAITING
        self.process: Optional[Process] = None
        self.deaths: List[float] = []
        self.due = 0.0
        self.restarts = 0
        self.last_end = ""

    @property
    def pid(self) -> Optional[int]:
        return self.process.pid if self.process else None


class Supervisor:
    """``spawn`` starts a process with its output in a file; ``now`` and ``sleep`` are the clock (seconds)."""

    def __init__(
        self,
        spawn: Spawn,
        now: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._spawn = spawn
        self._now = now
        self._sleep = sleep
        self.daemons: Dict[str, Daemon] = {}

    def add(self, name: str, argv: Sequence[str], log: str, before: Callable[[], None]) -> None:
        """Start the daemon and keep it running from now on; ``before`` is called ahead of every start."""
        daemon = Daemon(name, argv, log, before)
        self.daemons[name] = daemon
        self._start(daemon)

    def tick(self) -> None:
        """Notice daemons that ended, and restart those whose time has come. To be called often."""
        for daemon in self.daemons.values():
            if daemon.process and daemon.process.poll() is not None:
                self._ended(daemon, _how(daemon.process.returncode))
            if daemon.state == WAITING and self._now() >= daemon.due:
                daemon.restarts += 1
                self._start(daemon)

    def stop(self, names: Sequence[str], seconds: float) -> None:
        """TERM these daemons together, wait for their end, KILL what is left after ``seconds``."""
        daemons = [self.daemons[name] for name in names]
        for daemon in daemons:
            daemon.state = STOPPED
        self._signal(daemons, signal.SIGTERM)
        deadline = self._now() + seconds
        while self._alive(daemons) and self._now() < deadline:
            self._sleep(POLL)
        for daemon in self._alive(daemons):
            logger.error("%s did not stop within %d s and is killed", daemon.name, seconds)
        self._signal(daemons, signal.SIGKILL)
        for daemon in daemons:
            if daemon.process:
                daemon.process.wait()
                daemon.process = None

    def _start(self, daemon: Daemon) -> None:
        try:
            daemon.before()
            daemon.process = self._spawn(daemon.argv, daemon.log)
        except Error as error:
            self._ended(daemon, str(error))
            return
        daemon.state = RUNNING
        logger.info("%s started (pid %d)", daemon.name, daemon.process.pid)

    def _ended(self, daemon: Daemon, how: str) -> None:
        now = self._now()
        daemon.process = None
        daemon.last_end = how
        daemon.deaths = [death for death in daemon.deaths if now - death < WINDOW] + [now]
        if len(daemon.deaths) >= DEATHS:
            daemon.state = FAILED
            logger.error("%s given up, it ended %d times in %d s: %s", daemon.name, DEATHS, WINDOW, how)
            return
        delay = min(FIRST_DELAY * 2 ** (len(daemon.deaths) - 1), LONGEST_DELAY)
        daemon.state = WAITING
        daemon.due = now + delay
        logger.warning("%s ended (%s), next start in %d s; see %s", daemon.name, how, delay, daemon.log)

    def _alive(self, daemons: Sequence[Daemon]) -> List[Daemon]:
        return [daemon for daemon in daemons if daemon.process and daemon.process.poll() is None]

    def _signal(self, daemons: Sequence[Daemon], number: int) -> None:
        for daemon in self._alive(daemons):
            if daemon.process:
                daemon.process.send_signal(number)


def _how(status: int) -> str:
    return "killed by signal %d" % -status if status < 0 else "exit code %d" % status
