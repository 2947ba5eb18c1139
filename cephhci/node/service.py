"""The node program at work: prepares, starts, watches and stops everything that the document asks for."""

import fcntl
import logging
import os
import resource
import time
from typing import Callable, Dict, List

from cephhci.errors import Error
from cephhci.node import conf, disks, durable, mgr, mon, status
from cephhci.node.adminsocket import ask
from cephhci.node.document import Document
from cephhci.node.durable import Owner
from cephhci.node.errors import AlreadyRunning, DaemonUnreachable, StateUnusable
from cephhci.node.osd import Intent, Osds
from cephhci.node.paths import Paths
from cephhci.node.supervisor import Supervisor
from cephhci.node.tools import Tools

PATIENCE = 120.0  # seconds after which a node that is not complete is called degraded instead of starting
EAGER, CALM = 0.1, 1.0  # seconds between questions to the daemons until the node is complete, and then
PERIOD = 0.1  # seconds between two passes
STOP_OSDS, STOP_MGR, STOP_MON = 40.0, 5.0, 15.0  # seconds each; together within systemd's usual 90
OPEN_FILES = 1048576  # as in Ceph's own units; an OSD has one descriptor for each connection
BOOT_ID = "/proc/sys/kernel/random/boot_id"

logger = logging.getLogger(__name__)


class Node:
    """One node; ``now`` is a monotonic clock in seconds."""

    def __init__(
        self,
        document: Document,
        paths: Paths,
        owner: Owner,
        supervisor: Supervisor,
        new_intent: Callable[[], Intent],
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._document = document
        self._paths = paths
        self._owner = owner
        self._tools = Tools(paths.conf, owner)
        self._supervisor = supervisor
        self._now = now
        self._began = now()
        self._osds = Osds(paths, self._tools, owner, new_intent)
        self._disks = disks.Disks(document.disks, document.fsid, self._tools, self._osds, self._start_osd, self._report)
        self._mon = mon.Quorum("", [])
        self._asked = 0.0
        self._was_running = False
        self._phase = status.STARTING
        self._last_error = ""
        self._boot_id = (durable.read(BOOT_ID) or "").strip()
        self._written = ""

    def run(self, stopping: Callable[[], bool]) -> None:
        """Bring the node up, and keep it up until ``stopping()``; then stop all in order. Raises Error."""
        try:
            self._prepare()
            self._start()
            while not stopping():
                self._pass()
                time.sleep(PERIOD)
        except Error as error:
            self._last_error = error.sentence
            self._stop(status.FAILED)
            raise
        self._stop(status.STOPPED)

    def _prepare(self) -> None:
        document, paths, owner = self._document, self._paths, self._owner
        self._report()
        for path in (paths.etc, os.path.dirname(paths.bootstrap_keyring), paths.log, paths.run, paths.crash):
            durable.directory(path, 0o755, owner)
        for kind in ("mon", "mgr", "osd"):
            durable.directory(os.path.join(paths.state, kind), 0o755, owner)
        durable.directory(paths.own_state, 0o700)
        durable.write(paths.conf, conf.ceph_conf(document, paths), 0o644)
        self._write_keyring(paths.bootstrap_keyring, "client.bootstrap-osd")
        for entity in document.local_keyrings:
            self._write_keyring(paths.keyring(entity), entity)
        if document.has_mon:
            mon.prepare(document, paths, self._tools, owner)
        if document.has_mgr:
            mgr.prepare(document, paths, owner)

    def _write_keyring(self, path: str, entity: str) -> None:
        durable.write(path, conf.keyring([(entity, self._document.auth[entity])]), 0o600, self._owner)

    def _start(self) -> None:
        if self._document.has_mon:
            self._start_daemon("mon", self._document.node, _nothing)
        if self._document.has_mgr:
            self._start_daemon("mgr", self._document.node, _nothing)

    def _start_osd(self, number: int, path: str) -> None:
        self._start_daemon("osd", str(number), lambda: self._osds.own(path))

    def _start_daemon(self, kind: str, name: str, before: Callable[[], None]) -> None:
        daemon = "%s.%s" % (kind, name)
        log = os.path.join(self._paths.log, "ceph-%s.out" % daemon)
        self._supervisor.add(daemon, self._tools.daemon("ceph-" + kind, name), log, before)

    def _pass(self) -> None:
        now = self._now()
        self._supervisor.tick()
        if now - self._asked >= (EAGER if self._phase == status.STARTING else CALM):
            self._asked = now
            self._ask_mon()
            self._ask_osds()
        # A node without a monitor of its own cannot know; the ceph command's own time limit serves there.
        self._disks.advance(now, self._in_quorum() or not self._document.has_mon)
        self._decide()

    def _in_quorum(self) -> bool:
        return self._document.node in self._mon.members

    def _ask_mon(self) -> None:
        if not self._document.has_mon:
            return
        try:
            self._mon = mon.quorum(self._paths.socket("mon." + self._document.node))
        except DaemonUnreachable:
            self._mon = mon.Quorum("", [])

    def _ask_osds(self) -> None:
        for bay in self._disks.bays:
            if bay.state in (disks.STARTING, disks.ACTIVE):
                active = self._osd_state(bay.osd) == "active"
                bay.state = disks.ACTIVE if active else disks.STARTING

    def _osd_state(self, number: object) -> object:
        try:
            return ask(self._paths.socket("osd.%s" % number), "status").get("state")
        except DaemonUnreachable:
            return None

    def _decide(self) -> None:
        problems = self._problems()
        phase = status.decide_phase(problems, self._was_running, self._now() - self._began, PATIENCE)
        if phase != self._phase:
            logger.info("phase %s", phase)
        self._phase = phase
        self._was_running = self._was_running or phase == status.RUNNING
        self._report()

    def _problems(self) -> List[str]:
        return status.find_problems(
            self._document.has_mon, self._in_quorum(), self._daemon_statuses(), self._disks.statuses()
        )

    def _daemon_statuses(self) -> Dict[str, status.DaemonStatus]:
        return {
            name: status.DaemonStatus(daemon.state, daemon.pid, daemon.restarts, daemon.last_end)
            for name, daemon in self._supervisor.daemons.items()
        }

    def _report(self) -> None:
        text = status.to_json(
            status.Status(
                node=self._document.node,
                fsid=self._document.fsid,
                boot_id=self._boot_id,
                pid=os.getpid(),
                phase=self._phase,
                mon_state=self._mon.state or None,
                quorum=self._mon.members,
                daemons=self._daemon_statuses(),
                disks=self._disks.statuses(),
                problems=self._problems(),
                last_error=self._last_error,
            )
        )
        if text != self._written:
            durable.write(self._paths.status, text, 0o644)
            self._written = text

    def _stop(self, phase: str) -> None:
        """OSDs first, while the monitors can still tell clients: I/O is then blocked for 0.1 s, not 26 s."""
        self._phase = status.STOPPING
        self._report()
        names = list(self._supervisor.daemons)
        for kind, seconds in (("osd.", STOP_OSDS), ("mgr.", STOP_MGR), ("mon.", STOP_MON)):
            self._supervisor.stop([name for name in names if name.startswith(kind)], seconds)
        self._phase = phase
        self._report()


def raise_limits() -> None:
    """Allow daemons the open files that they need, as far as this process may."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = OPEN_FILES if hard == resource.RLIM_INFINITY else min(hard, OPEN_FILES)
    resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def take_lock(paths: Paths, seconds: float) -> int:
    """The lock of the one hci-node below this root, waited for so long, held until closed.

    Raises AlreadyRunning.
    """
    durable.directory(paths.own_run, 0o755)
    try:
        descriptor = os.open(paths.lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise StateUnusable(path=paths.lock, reason=error.strerror) from error
    deadline = time.monotonic() + seconds
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return descriptor
        except BlockingIOError as error:
            if time.monotonic() >= deadline:
                os.close(descriptor)
                raise AlreadyRunning(path=paths.lock) from error
        time.sleep(PERIOD)


def _nothing() -> None:
    """What most daemons need ahead of a start."""
