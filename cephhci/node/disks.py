"""The disks of one node on their way into service: looked at, made, started, and watched until they serve."""

import logging
from typing import Callable, List, Optional, Sequence

from cephhci.errors import Error
from cephhci.node import disk as disks_rules
from cephhci.node.document import Disk
from cephhci.node.errors import DiskRefused
from cephhci.node.osd import Osds
from cephhci.node.status import DiskStatus
from cephhci.node.tools import Tools

WAITING, MAKING, STARTING, ACTIVE, FAILED = "waiting", "making", "starting", "active", "failed"
RETRY = 10.0  # seconds until a disk that failed or is missing is tried again

logger = logging.getLogger(__name__)


class Bay:
    """One disk of the document and how far it came. Refused disks are looked at again only by a new start."""

    def __init__(self, disk: Disk) -> None:
        self.disk = disk
        self.state = WAITING
        self.osd: Optional[int] = None
        self.due = 0.0
        self.refused = False
        self.needs_monitors = False
        self.error: Optional[Error] = None

    def status(self) -> DiskStatus:
        code, text = (self.error.code, self.error.sentence) if self.error else ("", "")
        return DiskStatus(self.disk.path, self.state, self.osd, code, text)


class Disks:
    """``start_osd`` starts the daemon of a complete OSD; ``changed`` is told of changes in a long step."""

    def __init__(
        self,
        disks: Sequence[Disk],
        fsid: str,
        tools: Tools,
        osds: Osds,
        start_osd: Callable[[int, str], None],
        changed: Callable[[], None],
    ) -> None:
        self.bays = [Bay(disk) for disk in disks]
        self._fsid = fsid
        self._tools = tools
        self._osds = osds
        self._start_osd = start_osd
        self._changed = changed

    def advance(self, now: float, monitors_reachable: bool) -> None:
        """Take every disk that is due one step further; a disk's trouble does not hold up the others."""
        for bay in self.bays:
            if bay.state in (STARTING, ACTIVE) or bay.refused or now < bay.due:
                continue
            if bay.needs_monitors and not monitors_reachable:
                continue
            try:
                self._advance(bay, monitors_reachable)
            except Error as error:
                bay.error = error
                bay.state = FAILED
                bay.due = now + RETRY
                bay.refused = isinstance(error, DiskRefused)
                logger.error("%s: %s", error.code, error.sentence)

    def statuses(self) -> List[DiskStatus]:
        return [bay.status() for bay in self.bays]

    def _advance(self, bay: Bay, monitors_reachable: bool) -> None:
        path, wanted = bay.disk.path, bay.disk.uuid
        step = self._examine(bay)
        if step != disks_rules.START:
            bay.needs_monitors = True
            if not monitors_reachable:
                return
            bay.state = MAKING
            self._changed()
            logger.info("making an OSD on %s", path)
            if step == disks_rules.RESUME:
                # Never started, so nobody's data: mkfs of 16.2 runs fsck on what is there and can fail for ever.
                disks_rules.erase(path)
            self._osds.make(path, wanted)
            self._examine(bay)
        if bay.osd is None:
            return
        self._osds.get_ready(path, bay.osd)
        bay.error = None
        bay.state = STARTING
        self._start_osd(bay.osd, path)

    def _examine(self, bay: Bay) -> str:
        path = bay.disk.path
        facts = disks_rules.examine(path, self._tools)
        step = disks_rules.decide(path, facts, self._fsid, self._osds.intended(path), bay.disk.uuid)
        bay.osd = facts.label.osd if step == disks_rules.START and facts.label else None
        if any(other.osd == bay.osd for other in self.bays if other is not bay and bay.osd is not None):
            raise DiskRefused(
                path=path,
                reason="holds osd.%s, which another disk of the document holds, too" % bay.osd,
                way_out="Name each disk once",
            )
        return step
