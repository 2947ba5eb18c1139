"""The disks of CephSR, as SM asks for them."""

import os
import time
import xmlrpc.client
from contextlib import contextmanager
from typing import Any, Iterator, Optional

import XenAPI
from cephsm import VDI, blktap2, speaks_sm, util, xs_errors

from cephhci import errors, layout
from cephhci.ceph.cluster import PATIENT_SECONDS, QUICK_SECONDS
from cephhci.entry import Entry
from cephhci.host.inventory import identity
from cephhci.storage import changes
from cephhci.storage.attachment import Claim, release
from cephhci.storage.disks import NewDisk
from cephhci.storage.records import Records

ABSENT = ("UUID_INVALID", "HANDLE_INVALID")


class SmRecords(Records):
    """The records of an SR's disks, on the session that XAPI made for this command."""

    def __init__(self, sr: Any) -> None:
        self._sr = sr

    def introduce(self, entry: Entry) -> None:
        self._sr.vdi(entry.uuid).introduce_entry(entry)

    def forget(self, disk: str) -> None:
        try:
            self._sr.forget_vdi(disk)
        except XenAPI.Failure as error:
            if error.details[0] not in ABSENT:
                raise

    def known(self, disk: str) -> bool:
        try:
            self._sr.session.xenapi.VDI.get_by_uuid(disk)
        except XenAPI.Failure as error:
            if error.details[0] not in ABSENT:
                raise
            return False
        return True


class CephVDI(VDI.VDI):
    """A disk."""

    def load(self, vdi_uuid: str) -> None:
        """Set what is known without asking anybody."""
        self.vdi_type = "aio"  # the only type that gets a tapdisk on a block device in every SM tree of 8.3
        self.path = layout.device_link(self.sr.uuid, vdi_uuid)

    @speaks_sm
    def create(self, sr_uuid: str, vdi_uuid: str, size: int) -> str:
        """Make an empty disk."""
        if self.ty == "ha_statefile":
            # A statefile in this cluster could not be read before the cluster runs, and the cluster's own VMs
            # could not start before it is read.
            raise xs_errors.XenError("Unimplemented", opterr="keep the HA statefile on another SR")
        new = NewDisk(vdi_uuid, size, self.label, self.description, self.ty, self.read_only)
        with self.sr.access(PATIENT_SECONDS) as access:
            entry = access.disks.create(new)
        self._add_allocation(entry.size)
        return str(self.get_params())

    @speaks_sm
    def delete(self, sr_uuid: str, vdi_uuid: str, data_only: bool = False) -> None:
        """Delete the disk; its data goes in the background."""
        with self.sr.access(PATIENT_SECONDS) as access:
            size = access.disks.delete(vdi_uuid)
        self._add_allocation(-size)

    @speaks_sm
    def snapshot(self, sr_uuid: str, vdi_uuid: str) -> str:
        """Keep the disk as it is now."""
        uuid = util.gen_uuid()
        now = time.strftime("%Y%m%dT%H:%M:%SZ", time.gmtime())
        with self.sr.access(PATIENT_SECONDS) as access:
            entry = access.disks.snapshot(vdi_uuid, uuid, now, self._paused)
        self._add_allocation(entry.size)
        return str(self.sr.vdi(uuid).get_params())

    @speaks_sm
    def clone(self, sr_uuid: str, vdi_uuid: str) -> str:
        """Make a writable disk with the data of this disk or snapshot."""
        uuid = util.gen_uuid()
        with self.sr.access(PATIENT_SECONDS) as access:
            entry = access.disks.clone(vdi_uuid, uuid, self._paused)
        self._add_allocation(entry.size)
        return str(self.sr.vdi(uuid).get_params())

    @speaks_sm
    def resize(self, sr_uuid: str, vdi_uuid: str, size: int) -> str:
        """Let the disk grow; XAPI asks only while it is attached nowhere."""
        _VDI = self.session.xenapi.VDI
        ref = _VDI.get_by_uuid(vdi_uuid)
        with self.sr.access(PATIENT_SECONDS) as access:
            entry = access.disks.resize(vdi_uuid, size)
        self._add_allocation(entry.size - int(_VDI.get_virtual_size(ref)))
        # Not SM's _db_update, which would also delete what others keep in the record's sm_config.
        _VDI.set_virtual_size(ref, str(entry.size))
        return str(self.get_params())

    @speaks_sm
    def configure_blocktracking(self, sr_uuid: str, vdi_uuid: str, enable: bool) -> None:
        """Allow or forbid questions about changed blocks; Ceph itself can always tell."""
        with self.sr.access(PATIENT_SECONDS) as access:
            changes.track(access.index, vdi_uuid, enable)

    @speaks_sm
    def data_destroy(self, sr_uuid: str, vdi_uuid: str) -> None:
        """Leave only the memory of a snapshot. Its RBD snapshot stays, because the comparison needs it."""
        with self.sr.access(PATIENT_SECONDS) as access:
            access.index.update(vdi_uuid, lambda entry: entry._replace(type="cbt_metadata"))

    @speaks_sm
    def list_changed_blocks(self) -> str:
        """The blocks that changed from this snapshot to the disk that the argument names."""
        until = self.session.xenapi.VDI.get_uuid(self.sr.srcmd.params["args"][0])
        with self.sr.access(PATIENT_SECONDS) as access:
            text = changes.bitmap(access.pool, access.index, self.uuid, until)
        return str(xmlrpc.client.dumps((text,), "", True))

    def _get_blocktracking_status(self, uuid: Optional[str] = None) -> bool:
        # SM asks this to find out whether tapdisk has to keep a log of changes; with RBD it never has to.
        return False

    @speaks_sm
    def introduce(self, sr_uuid: str, vdi_uuid: str) -> str:
        """Make the record of a disk that is on the storage."""
        location = self.sr.srcmd.params["vdi_location"]
        if location != vdi_uuid:
            raise errors.InvalidArgument(
                name="location",
                reason="disk %s cannot be known as %s" % (ascii(location), vdi_uuid),
                way_out="Introduce it with uuid=%s" % ascii(location).strip("'"),
            )
        with self.sr.access(PATIENT_SECONDS) as access:
            self.introduce_entry(access.index.entry(vdi_uuid))
        return str(self.get_params())

    @speaks_sm
    def update(self, sr_uuid: str, vdi_uuid: str) -> None:
        """Keep the disk's names on the storage, so that a lost pool database loses none."""
        _VDI = self.session.xenapi.VDI
        record = _VDI.get_record(_VDI.get_by_uuid(vdi_uuid))
        # XAPI gives a snapshot its own time after the driver made it, and then calls this.
        time = str(record["snapshot_time"]) if record["is_a_snapshot"] else ""
        with self.sr.access(PATIENT_SECONDS) as access:
            access.disks.relabel(vdi_uuid, record["name_label"], record["name_description"], time)

    @speaks_sm
    def attach(self, sr_uuid: str, vdi_uuid: str) -> str:
        """Make the disk a device; with ATOMIC_PAUSE this runs inside vdi_activate."""
        attachment = self.sr.attachment()
        with self.sr.access(PATIENT_SECONDS) as access:
            if self._is_written():
                claim = Claim(identity(), os.urandom(16).hex(), self._is_alive)
                self.path = attachment.open(access.cluster, access.pool, access.index, vdi_uuid, claim)
            else:
                self.path = attachment.open_read_only(access.index.entry(vdi_uuid))
        return str(VDI.VDI.attach(self, sr_uuid, vdi_uuid))

    @speaks_sm
    def detach(self, sr_uuid: str, vdi_uuid: str) -> None:
        """Remove the device; the claim goes too, if the cluster can be reached."""
        if not self.sr.attachment().close(vdi_uuid):
            return
        try:
            with self.sr.access(QUICK_SECONDS) as access:
                release(access.index, vdi_uuid, identity())
        except errors.Error as error:
            # The device is gone, which is what counts. The claim stays: this host may take it again at any time,
            # another one once this one is dead.
            util.SMlog("CephSR: disk %s stays claimed by this host: %s" % (vdi_uuid, error.sentence))

    def introduce_entry(self, entry: Entry) -> None:
        """Make the XAPI record of a disk from what the index says of it."""
        self.label = entry.label
        self.description = entry.description
        self.ty = entry.type
        self.read_only = entry.read_only
        self.size = entry.size
        self.utilisation = entry.used
        self.cbt_enabled = entry.tracked
        if entry.snapshot_of:
            self.is_a_snapshot = True
            self.snapshot_time = entry.snapshot_time
            self.snapshot_of = self._reference(entry.snapshot_of)
        self._db_introduce()

    def _reference(self, disk: str) -> str:
        try:
            return str(self.session.xenapi.VDI.get_by_uuid(disk))
        except XenAPI.Failure as error:
            if error.details[0] not in ABSENT:
                raise
            return "OpaqueRef:NULL"  # a snapshot outlives its disk

    @contextmanager
    def _paused(self) -> Iterator[None]:
        """The disk's tapdisk, on whatever host it runs, has settled its writes and holds back new ones."""
        if not blktap2.VDI.tap_pause(self.session, self.sr.uuid, self.uuid):
            raise errors.DiskNotPaused(disk=self.uuid)
        try:
            yield
        finally:
            if not blktap2.VDI.tap_unpause(self.session, self.sr.uuid, self.uuid):
                util.SMlog("CephSR: disk %s stays paused: its host does not answer" % self.uuid)

    def _is_written(self) -> bool:
        # SM passes the flag only in the command's own arguments; objects made by from_uuid have none.
        args = self.sr.srcmd.params.get("args")
        return not args or args[0] == "true"

    def _is_alive(self, host: str) -> bool:
        if self.session is None:
            return True  # nobody can be declared dead without XAPI
        _host = self.session.xenapi.host
        try:
            metrics = _host.get_metrics(_host.get_by_uuid(host))
            return bool(self.session.xenapi.host_metrics.get_live(metrics))
        except XenAPI.Failure as error:
            if error.details[0] not in ABSENT:
                raise
            return False  # a host that left the pool

    def _add_allocation(self, size: int) -> None:
        _SR = self.session.xenapi.SR
        allocated = int(_SR.get_virtual_allocation(self.sr.sr_ref)) + size
        _SR.set_virtual_allocation(self.sr.sr_ref, str(allocated))
