#!/usr/bin/python3
"""SMAPIv1 driver of type ``ceph``: a VDI is an RBD image.

Only what SM asks for is here; what a disk is and how it changes is in ``cephhci.storage``.
"""

import sys
from contextlib import contextmanager
from typing import Dict, Iterator

# tapdisk-pause of SM 4.x loads this file without its folder on the path, and without a __file__ to tell it by.
sys.path.insert(0, "/opt/xensource/sm")
from cephsm import SR, blktap2, lock, run, speaks_sm, util  # noqa: E402
from cephvdi import CephVDI, SmRecords  # noqa: E402

from cephhci import deviceconfig, errors, sync, version
from cephhci.ceph.cluster import PATIENT_SECONDS, QUICK_SECONDS, connect
from cephhci.ceph.port import Cluster, Pool
from cephhci.clock import Clock
from cephhci.deviceconfig import DeviceConfig
from cephhci.entry import HIDDEN, Entry
from cephhci.host import external
from cephhci.host.mapper import Mapper, Source
from cephhci.storage import recovery, sr
from cephhci.storage.attachment import Attachment
from cephhci.storage.disks import Disks
from cephhci.storage.index import Index
from cephhci.xapi.bulk import disk_records
from cephhci.xmltext import sr_list

# Every one of these is driven through this executable by a test. xapi never withdraws a capability that it saw.
CAPABILITIES = [
    "SR_PROBE",
    "SR_UPDATE",
    "THIN_PROVISIONING",
    "VDI_CREATE",
    "VDI_DELETE",
    "VDI_ATTACH",
    "VDI_DETACH",
    "VDI_ACTIVATE",
    "VDI_DEACTIVATE",
    "VDI_UPDATE",
    "VDI_INTRODUCE",
    "VDI_SNAPSHOT",
    "VDI_CLONE",
    "VDI_RESIZE",
    "VDI_CONFIG_CBT",
    "ATOMIC_PAUSE",
]
DRIVER_INFO = {
    "name": "Ceph RBD",
    "description": "Disks as RBD images of a Ceph cluster",
    "vendor": "xcpng-ceph-hci",
    "copyright": "The xcpng-ceph-hci authors",
    "driver_version": version.VERSION,
    "required_api_version": "1.0",
    "capabilities": CAPABILITIES,
    "configuration": [list(pair) for pair in deviceconfig.DESCRIBED],
}
MARK = "hci-synchronised"  # key of SR.sm_config


class Access:
    """An open connection and what it leads to."""

    def __init__(self, cluster: Cluster, pool: Pool, index: Index, disks: Disks) -> None:
        self.cluster = cluster
        self.pool = pool
        self.index = index
        self.disks = disks


class CephSR(SR.SR):
    """An SR in a Ceph pool, or in one namespace of it."""

    @staticmethod
    def handles(type: str) -> bool:
        """Whether this driver serves SRs of ``type``."""
        return type == "ceph"

    def load(self, sr_uuid: str) -> None:
        """Set what SM asks for; runs for every command, so it reaches for neither the cluster nor XAPI."""
        # What a scan would take for unfinished while it is under way.
        self.ops_exclusive = ["sr_create", "sr_delete", "sr_scan", "vdi_create", "vdi_delete", "vdi_introduce"]
        self.ops_exclusive += ["vdi_snapshot", "vdi_clone", "vdi_resize"]
        self.sr_vditype = "aio"
        self.attached = False
        self.clock = Clock()
        self.disks: Dict[str, CephVDI] = {}
        if sr_uuid:
            self.lock = lock.Lock("sr", sr_uuid)

    def vdi(self, uuid: str) -> CephVDI:
        """The disk of that uuid, whether it exists or not."""
        if uuid not in self.disks:
            self.disks[uuid] = CephVDI(self, uuid)
        return self.disks[uuid]

    @speaks_sm
    def probe(self) -> str:
        """The SRs in the given pool, or in every pool that the user may read."""
        config = deviceconfig.parse(self.dconf, need_pool=False)
        with self.connection(config, QUICK_SECONDS) as cluster:
            return sr_list(sr.find(cluster, config.pool))

    @speaks_sm
    def create(self, sr_uuid: str, size: int) -> None:
        """Check everything and claim the pool; ``size`` means nothing here."""
        config = deviceconfig.parse(self.dconf)
        features = external.mapper(config.mapper).features()
        with self.connection(config, QUICK_SECONDS) as cluster:
            sr.create(cluster, config, sr_uuid, features, self.clock)

    @speaks_sm
    def delete(self, sr_uuid: str) -> None:
        """Give the pool back."""
        with self.access(PATIENT_SECONDS) as access:
            sr.destroy(access.pool, access.index, access.disks, self.clock)

    @speaks_sm
    def attach(self, sr_uuid: str) -> None:
        """Check that this host can use the SR; ends within 15 s, because XAPI holds back all other SRs meanwhile."""
        with self.access(QUICK_SECONDS) as access:
            wanted = access.index.header().features
            missing = sorted(set(wanted) - set(self.mapper().features()))
            if missing:
                raise errors.MappingFailed(
                    what="attaching the SR",
                    reason="its images have features that this host cannot map: %s" % ", ".join(missing),
                )
        self.attached = True

    def after_master_attach(self, uuid: str) -> None:
        """Scan as SM does after an attach, but not after one that failed: that would wait for the cluster again."""
        if self.attached:
            super().after_master_attach(uuid)

    def detach(self, sr_uuid: str) -> None:
        """Nothing to undo: what attach did left no trace, so this works without the cluster."""

    @speaks_sm
    def update(self, sr_uuid: str) -> None:
        """Refresh the space of the SR."""
        with self.access(PATIENT_SECONDS) as access:
            self._store_space(access)

    @speaks_sm
    def scan(self, sr_uuid: str) -> None:
        """Bring the pool's database in line with the storage, after putting right what crashes left behind."""
        with self.access(PATIENT_SECONDS) as access:
            found = recovery.scan(access.pool, access.index, access.disks, SmRecords(self))
            for repair in found.repaired:
                util.SMlog("CephSR: %s unfinished disk %s" % (repair.action, repair.entry.uuid))
                self._resume(recovery.origin_of(repair))
            for disk in found.missing:
                util.SMlog("CephSR: disk %s has lost its image" % disk)
            self._synchronise(access, found)
            self.virtual_allocation = sum(entry.size for entry in found.entries)
            self.session.xenapi.SR.set_virtual_allocation(self.sr_ref, str(self.virtual_allocation))
            self._store_space(access)

    def _resume(self, disk: str) -> None:
        """Let a disk go on whose snapshot or clone did not come to its end: its driver died while it was paused."""
        if disk and SmRecords(self).known(disk):
            _VDI = self.session.xenapi.VDI
            if "paused" in _VDI.get_sm_config(_VDI.get_by_uuid(disk)):
                blktap2.VDI.tap_unpause(self.session, self.uuid, disk)

    def _synchronise(self, access: Access, found: recovery.Scan) -> None:
        _SR = self.session.xenapi.SR
        missing = frozenset(found.missing)
        mark = sync.mark(found.entries, missing, _SR.get_VDIs(self.sr_ref))
        config = _SR.get_sm_config(self.sr_ref)
        if config.get(MARK) == mark:
            return
        rows = sync.rows_of(disk_records(self.session_ref, self.sr_ref))
        plan = sync.plan(found.entries, missing, rows)
        for entry in plan.introduce:
            self.vdi(entry.uuid).introduce_entry(entry)
        for ref, entry, lost in plan.update:
            self._update_record(ref, entry, lost)
        for row in plan.forget:
            self._forget_absent(access, row.location, row.ref)
        config[MARK] = sync.mark(found.entries, missing, _SR.get_VDIs(self.sr_ref))
        _SR.set_sm_config(self.sr_ref, config)

    def _update_record(self, ref: str, entry: Entry, lost: bool) -> None:
        _VDI = self.session.xenapi.VDI
        _VDI.set_virtual_size(ref, str(entry.size))
        _VDI.set_physical_utilisation(ref, str(entry.used))
        _VDI.set_read_only(ref, entry.read_only)
        _VDI.set_missing(ref, lost)
        _VDI.set_cbt_enabled(ref, entry.tracked)

    def _forget_absent(self, access: Access, disk: str, ref: str) -> None:
        # Asked again, because a disk may have been made by another process after the index was read.
        try:
            gone = access.index.entry(disk).state == HIDDEN
        except errors.DiskMissing:
            gone = True
        if gone:
            util.SMlog("CephSR: forgetting disk %s, which is not on the storage" % disk)
            self.session.xenapi.VDI.db_forget(ref)

    def _store_space(self, access: Access) -> None:
        space = sr.space(access.pool, access.cluster, self.config().data_pool)
        self.session.xenapi.SR.set_physical_size(self.sr_ref, str(space.size))
        self.session.xenapi.SR.set_physical_utilisation(self.sr_ref, str(space.used))

    def config(self) -> DeviceConfig:
        """The checked device-config; raises InvalidArgument."""
        return deviceconfig.parse(self.dconf)

    def mapper(self) -> Mapper:
        """What makes images devices on this host; raises InvalidArgument when the host lacks it."""
        return external.mapper(self.config().mapper)

    def attachment(self) -> Attachment:
        """This host's access to the disks; needs no cluster."""
        config = self.config()
        target = deviceconfig.target(config, self._password(config))
        return Attachment(target, Source(config.pool, config.namespace, "", ""), self.uuid, self.mapper())

    @contextmanager
    def connection(self, config: DeviceConfig, seconds: int) -> Iterator[Cluster]:
        """A connection on which every call ends within ``seconds``."""
        cluster = connect(deviceconfig.target(config, self._password(config)), seconds)
        try:
            yield cluster
        finally:
            cluster.close()

    @contextmanager
    def access(self, seconds: int) -> Iterator[Access]:
        """A connection, opened down to the SR's index."""
        config = self.config()
        with self.connection(config, seconds) as cluster:
            pool = cluster.pool(config.pool, config.namespace)
            index = Index(pool, self.uuid, self.clock)
            yield Access(cluster, pool, index, Disks(pool, index, SmRecords(self)))

    def _password(self, config: DeviceConfig) -> str:
        return str(util.get_secret(self.session, config.secret)) if config.secret else config.password


if __name__ == "__main__":
    run(CephSR, DRIVER_INFO)
else:
    SR.registerSR(CephSR)
