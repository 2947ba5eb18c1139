"""The Python interface to a lab, used from outside: by the command, the tests and the demo."""

import os
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TextIO

from lab import enter, envfile, hostinstall, loops
from lab.state import LabError, Process, State, read_process

DEFAULT_ENVIRONMENT = Path(__file__).with_name("envs") / "three.toml"
UP_DEADLINE = 180.0
VERB_DEADLINE = 120.0
RUN_TIMEOUT = 120.0
Completed = subprocess.CompletedProcess[str]


class XeFailed(Exception):
    """`xe` ended with an error; the text is its stderr."""


class Lab:
    """A lab by its name. Making this object starts nothing."""

    def __init__(self, name: str = "lab") -> None:
        self.name = name
        self.state = State(name)

    def up(self, environment: Path = DEFAULT_ENVIRONMENT, progress: TextIO | None = None) -> None:
        """Start everything and wait until it is usable. Raises BadEnvironment or LabError."""
        text = environment.read_text(encoding="utf-8")
        spec = envfile.parse(text)
        with self.state.locked():
            if self.state.init():
                raise LabError("the lab %s is already up" % self.name)
            self._clear()
            self.state.logs.mkdir(parents=True)
            self.state.environment_file.write_text(text, encoding="utf-8")
            self._make_disks(spec)
            choices = _choices(spec)
            claimed = loops.Range()
            with claimed.socket:
                lifeline = self._start_init(claimed)
            try:
                self._inside("up", str(claimed.first), deadline=UP_DEADLINE, progress=progress, env=choices)
                os.write(lifeline, b"1")
            except BaseException:
                self._end()
                raise
            finally:
                os.close(lifeline)

    def down(self) -> None:
        """End everything and delete its files; fine when there is nothing."""
        with self.state.locked():
            self._end()
            self._clear()

    @property
    def is_up(self) -> bool:
        return self.state.init() is not None

    @property
    def environment(self) -> envfile.Environment:
        return self.state.environment()

    def machine(self, name: str) -> "MachineHandle":
        """A host or a node; raises BadEnvironment when the lab has no such machine."""
        return MachineHandle(self, self.environment.machine(name))

    node = host = machine

    def run(
        self,
        argv: Sequence[str],
        stdin: str | None = None,
        timeout: float = RUN_TIMEOUT,
        env: Mapping[str, str] | None = None,
    ) -> Completed:
        """Run a program in the lab's own namespaces: this machine's files, the lab's networks."""
        return _run(self.argv(argv), stdin, timeout, env)

    def argv(self, argv: Sequence[str]) -> list[str]:
        """The command line that runs ``argv`` in the lab's own namespaces."""
        return enter.argv(self.state.running().pid, argv)

    def xe(self, *arguments: str, host: str | None = None, timeout: float = RUN_TIMEOUT) -> str:
        """Run `xe` on a host (the first one by default) and return its stdout. Raises XeFailed."""
        machine = self.machine(host or self.environment.hosts[0].name)
        done = machine.run(["/usr/bin/xe", *arguments], timeout=timeout)
        if done.returncode:
            raise XeFailed(done.stderr.strip() or "xe ended with exit code %d" % done.returncode)
        return done.stdout.rstrip("\n")

    def change(self, verb: str, machine: str) -> None:
        """start, stop, kill, cut or heal a machine."""
        self.environment.machine(machine)
        self.state.running()
        with self.state.locked():
            self._inside(verb, machine, deadline=VERB_DEADLINE)

    def status(self) -> list[tuple[str, str, str]]:
        """(machine, kind, state) for every machine; state is up, down, or either followed by "cut"."""
        rows = []
        root = self._root()
        for spec in self.environment.machines:
            up = self.machine_process(spec.name) is not None
            cut = root is not None and (root / self.state.live.relative_to("/") / spec.name / "cut").exists()
            rows.append((spec.name, spec.kind, ("up" if up else "down") + (" cut" if cut else "")))
        return rows

    def machine_process(self, name: str) -> Process | None:
        """The init of a machine, its pid as inside the lab; None when it is down."""
        root = self._root()
        if root is None:
            return None
        record = root / self.state.live.relative_to("/") / name / "init.json"
        process = read_process(record, root / "proc")
        return process if process and process.alive else None

    def _root(self) -> Path | None:
        """The lab's file system, seen from outside through its init."""
        init = self.state.init()
        return Path("/proc/%d/root" % init.pid) if init else None

    def _make_disks(self, spec: envfile.Environment) -> None:
        for node in spec.nodes:
            for disk, size in node.disks.items():
                path = self.state.disk(node.name, disk)
                path.parent.mkdir(exist_ok=True)
                with path.open("xb") as file:
                    file.truncate(size)

    def _start_init(self, claimed: loops.Range) -> int:
        """Start PID 1 of the lab, wait until it is ready, and return the lifeline."""
        theirs, lifeline = os.pipe()
        ready, reporting = os.pipe()
        with self.state.log("lab").open("ab") as log:
            starter = subprocess.Popen(
                enter.module("labinit", self.name, str(theirs), str(reporting)),
                pass_fds=[theirs, reporting, claimed.socket.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=enter.module_environment(),
            )
        os.close(theirs)
        os.close(reporting)
        with open(ready, "rb") as reports:
            if reports.read(1) != b"1":
                os.close(lifeline)
                raise LabError("the lab does not start:\n" + self.state.log("lab").read_text(encoding="utf-8"))
        starter.wait()
        return lifeline

    def _inside(
        self,
        *arguments: str,
        deadline: float,
        progress: TextIO | None = None,
        env: Mapping[str, str] | None = None,
    ) -> None:
        """Run a verb of lab.inside in the lab; its stdout is progress, its stderr the reason of a failure."""
        process = subprocess.Popen(
            self.argv(enter.module("inside", self.name, *arguments)),
            stdin=subprocess.DEVNULL,
            stdout=progress or subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            env={**enter.module_environment(), **(env or {})},
        )
        try:
            _, stderr = process.communicate(timeout=deadline)
        except subprocess.TimeoutExpired:
            raise LabError("%s did not end within %d s" % (" ".join(arguments), deadline)) from None
        finally:
            process.kill()
            process.wait()
        if process.returncode:
            raise LabError(stderr.strip())

    def _end(self) -> None:
        init = self.state.init()
        if init:
            init.kill()

    def _clear(self) -> None:
        self.state.remove()
        loops.sweep()


class MachineHandle:
    """One machine of a lab, from outside."""

    def __init__(self, lab: Lab, spec: envfile.Machine) -> None:
        self.lab = lab
        self.spec = spec
        self.name = spec.name

    def run(
        self,
        argv: Sequence[str],
        stdin: str | None = None,
        timeout: float = RUN_TIMEOUT,
        env: Mapping[str, str] | None = None,
    ) -> Completed:
        """Run a program in the machine. Raises subprocess.TimeoutExpired after killing it."""
        return _run(self.argv(argv), stdin, timeout, env)

    def argv(self, argv: Sequence[str]) -> list[str]:
        """The command line that runs ``argv`` in the machine, for a caller with its own Popen."""
        process = self.lab.machine_process(self.name)
        if process is None:
            raise LabError("%s is not running" % self.name)
        return self.lab.argv(enter.argv(process.pid, argv))

    def start(self) -> None:
        self.lab.change("start", self.name)

    def stop(self) -> None:
        self.lab.change("stop", self.name)

    def kill(self) -> None:
        self.lab.change("kill", self.name)

    def cut(self) -> None:
        self.lab.change("cut", self.name)

    def heal(self) -> None:
        self.lab.change("heal", self.name)


def _run(argv: Sequence[str], stdin: str | None, timeout: float, env: Mapping[str, str] | None) -> Completed:
    return subprocess.run(
        argv,
        input=stdin if stdin is not None else "",
        capture_output=True,
        text=True,
        timeout=timeout,
        env=enter.ENVIRONMENT if env is None else dict(env),
    )


def _choices(environment: envfile.Environment) -> dict[str, str]:
    """What the caller may choose by environment variables, made absolute; and the packages, built if need be."""
    choices = {"HCI_TEST_CACHE": str(hostinstall.TESTS_CACHE), "LAB_RPMS": ""}
    if os.environ.get("SM_TREE"):
        choices["SM_TREE"] = os.path.abspath(os.environ["SM_TREE"])
    if environment.hosts:
        choices["LAB_RPMS"] = ":".join(map(str, hostinstall.packages()))
    return choices
