"""Daemons are restarted, given up, and stopped in order. Real processes, a clock of our own."""

import signal
import time
from pathlib import Path
from typing import Callable, List

from cephhci.node.errors import StateUnusable
from cephhci.node.supervisor import DEATHS, FAILED, RUNNING, STOPPED, WAITING, WINDOW, Daemon, Supervisor
from cephhci.run import spawn


def nothing() -> None:
    """What most daemons need ahead of a start."""


class Clock:
    """Time that only passes when told to."""

    def __init__(self) -> None:
        self.time = 1000.0

    def now(self) -> float:
        return self.time

    def sleep(self, seconds: float) -> None:
        self.time += seconds
        time.sleep(0.01)


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def start(folder: Path, clock: Clock, *argv: str) -> Supervisor:
    supervisor = Supervisor(spawn, clock.now, clock.sleep)
    supervisor.add("d", argv, str(folder / "log"), nothing)
    return supervisor


def notice_end(supervisor: Supervisor) -> Daemon:
    """Wait for the daemon's end and let the supervisor see it."""
    daemon = supervisor.daemons["d"]
    if daemon.process:
        daemon.process.wait()
    supervisor.tick()
    return daemon


def test_restart_with_growing_delay(tmp_path: Path) -> None:
    clock = Clock()
    supervisor = start(tmp_path, clock, "false")
    delays: List[float] = []
    for _ in range(DEATHS - 1):
        daemon = notice_end(supervisor)
        assert daemon.state == WAITING and daemon.last_end == "exit code 1" and daemon.pid is None
        delays.append(daemon.due - clock.time)
        clock.time = daemon.due - 0.5
        supervisor.tick()
        assert daemon.process is None
        clock.time = daemon.due
        supervisor.tick()
        assert daemon.process
    assert delays == [1, 2, 4, 8]
    assert notice_end(supervisor).state == FAILED
    clock.time += 100000
    supervisor.tick()
    assert daemon.process is None and daemon.restarts == DEATHS - 1


def test_old_deaths_are_forgiven(tmp_path: Path) -> None:
    clock = Clock()
    supervisor = start(tmp_path, clock, "false")
    for _ in range(3 * DEATHS):
        daemon = notice_end(supervisor)
        assert daemon.state == WAITING and daemon.due - clock.time == 1
        clock.time += WINDOW + 1
        supervisor.tick()


def test_a_program_that_is_not_there(tmp_path: Path) -> None:
    daemon = start(tmp_path, Clock(), "/nonexistent/ceph-osd").daemons["d"]
    assert daemon.state == WAITING and "not started" in daemon.last_end


def test_preparation_ahead_of_every_start(tmp_path: Path) -> None:
    clock = Clock()
    calls: List[float] = []

    def before() -> None:
        calls.append(clock.time)
        if len(calls) == 2:
            raise StateUnusable(path="/dev/x", reason="gone")

    supervisor = Supervisor(spawn, clock.now, clock.sleep)
    supervisor.add("d", ["false"], str(tmp_path / "log"), before)
    notice_end(supervisor)
    clock.time += 1
    supervisor.tick()
    daemon = supervisor.daemons["d"]
    assert calls == [1000, 1001] and daemon.state == WAITING and daemon.last_end == "/dev/x: gone"


def test_killed_by_signal(tmp_path: Path) -> None:
    supervisor = start(tmp_path, Clock(), "sleep", "60")
    process = supervisor.daemons["d"].process
    assert process
    process.kill()
    assert notice_end(supervisor).last_end == "killed by signal %d" % signal.SIGKILL


def test_stop_is_term_then_kill(tmp_path: Path) -> None:
    clock = Clock()
    ready = tmp_path / "ready"
    supervisor = start(tmp_path, clock, "sleep", "60")
    script = "trap '' TERM; : > %s; sleep 60" % ready
    supervisor.add("stubborn", ["sh", "-c", script], str(tmp_path / "log"), nothing)
    until(ready.exists)
    polite = supervisor.daemons["d"].process
    stubborn = supervisor.daemons["stubborn"].process
    assert polite and stubborn and supervisor.daemons["d"].state == RUNNING
    supervisor.stop(["d", "stubborn"], 5)
    assert (polite.returncode, stubborn.returncode) == (-signal.SIGTERM, -signal.SIGKILL)
    assert clock.time >= 1005
    supervisor.tick()
    assert [daemon.state for daemon in supervisor.daemons.values()] == [STOPPED, STOPPED]
