"""Base class of virtual disks. Changed block tracking of this class works on files; here it refuses, as the
real class refuses raw (aio) disks, and every hook of it is left to the driver."""

import xmlrpc.client
from typing import Any, Dict, Optional

import SR
import util
import xs_errors

SM_CONFIG_PASS_THROUGH_FIELDS = ["base_mirror", "key_hash"]
SNAPSHOT_SINGLE = 1
SNAPSHOT_DOUBLE = 2
SNAPSHOT_INTERNAL = 3
_RAW = "aio"
_IMAGE_FORMATS = {_RAW: "raw", "vhd": "vhd", "qcow2": "qcow2"}  # written to rows since 8.3's QCOW2 work
_NULL = "OpaqueRef:NULL"
_PROTECTED_KEYS = ("paused", "vhd-blocks", "relinking", "activating")  # of sm_config, never touched by a scan


class VDI:
    """One disk during one command; drivers override what they offer. ``sm_config`` is unset on purpose."""

    def __init__(self, sr: Any, uuid: Optional[str]) -> None:
        self.sr = sr
        if uuid is not None:
            self.uuid = uuid
            self.location = uuid
            self.path: Optional[str] = None
        self.label = ""
        self.description = ""
        self.size = 0
        self.utilisation = 0
        self.vdi_type = ""
        self.has_child = 0
        self.parent: Any = None
        self.shareable = False
        self.attached = False
        self.status = 0
        self.read_only = False
        self.xenstore_data: Dict[str, str] = {}
        self.deleted = False
        self.session = sr.session
        self.managed = True
        self.sm_config_override: Dict[str, Optional[str]] = {}
        self.sm_config_keep = ["key_hash"]
        self.ty = "user"
        self.cbt_enabled = False
        self.load(uuid)

    @staticmethod
    def from_uuid(session: Any, vdi_uuid: str) -> Any:
        """A second object of a disk, with an SR object of its own (SR.from_uuid)."""
        vdi_ref = session.xenapi.VDI.get_by_uuid(vdi_uuid)
        sr_uuid = session.xenapi.SR.get_uuid(session.xenapi.VDI.get_SR(vdi_ref))
        sr = SR.SR.from_uuid(session, sr_uuid)
        sr.srcmd.params["vdi_ref"] = vdi_ref
        return sr.vdi(vdi_uuid)

    def load(self, vdi_uuid: Optional[str]) -> None:
        """A hook, empty here."""

    def create(self, sr_uuid: str, vdi_uuid: str, size: int) -> str:
        raise xs_errors.XenError("Unimplemented")

    def update(self, sr_uuid: str, vdi_uuid: str) -> None:
        """A hook, empty here."""

    def introduce(self, sr_uuid: str, vdi_uuid: str) -> str:
        raise xs_errors.XenError("Unimplemented")

    def attach(self, sr_uuid: str, vdi_uuid: str) -> str:
        """Reply with path and xenstore_data."""
        struct = {"params": self.path, "xenstore_data": self.xenstore_data or {}}
        return xmlrpc.client.dumps((struct,), "", True)

    def detach(self, sr_uuid: str, vdi_uuid: str) -> None:
        raise xs_errors.XenError("Unimplemented")

    def clone(self, sr_uuid: str, vdi_uuid: str) -> str:
        raise xs_errors.XenError("Unimplemented")

    def resize(self, sr_uuid: str, vdi_uuid: str, size: int) -> str:
        raise xs_errors.XenError("Unimplemented")

    def resize_online(self, sr_uuid: str, vdi_uuid: str, size: int) -> str:
        raise xs_errors.XenError("Unimplemented")

    def resize_cbt(self, sr_uuid: str, vdi_uuid: str, size: int) -> None:
        self._no_log()

    def generate_config(self, sr_uuid: str, vdi_uuid: str) -> str:
        raise xs_errors.XenError("Unimplemented")

    def compose(self, sr_uuid: str, vdi1: str, vdi2: str) -> None:
        raise xs_errors.XenError("Unimplemented")

    def attach_from_config(self, sr_uuid: str, vdi_uuid: str) -> str:
        raise xs_errors.XenError("Unimplemented")

    def delete(self, sr_uuid: str, vdi_uuid: str, data_only: bool = False) -> None:
        """The base only removes a log of changed blocks."""
        if not data_only:
            self._no_log()

    def snapshot(self, sr_uuid: str, vdi_uuid: str) -> str:
        """Read driver_params and hand over to _do_snapshot."""
        wanted = self.sr.srcmd.params["driver_params"]
        kinds = {"single": SNAPSHOT_SINGLE, "internal": SNAPSHOT_INTERNAL}
        secondary = wanted.get("mirror") or None
        cbtlog = self._get_cbt_logpath(self.uuid) if self._get_blocktracking_status() else None
        return self._do_snapshot(sr_uuid, vdi_uuid, kinds.get(wanted.get("type"), SNAPSHOT_DOUBLE),
                                 secondary=secondary, cbtlog=cbtlog,
                                 is_mirror_destination=bool(wanted.get("base_mirror")) and not secondary)

    def _do_snapshot(self, sr_uuid: str, vdi_uuid: str, snapType: int, cloneOp: bool = False,
                     secondary: Optional[str] = None, cbtlog: Optional[str] = None,
                     is_mirror_destination: bool = False) -> str:
        raise xs_errors.XenError("Unimplemented")

    def activate(self, sr_uuid: str, vdi_uuid: str) -> Optional[Dict[str, str]]:
        self._no_log()
        return None

    def deactivate(self, sr_uuid: str, vdi_uuid: str) -> None:
        self._no_log()

    def get_params(self) -> str:
        return xmlrpc.client.dumps(({"location": self.location, "uuid": self.uuid},), "", True)

    def _db_introduce(self) -> str:
        uuid = util.default(self, "uuid", util.gen_uuid)
        sm_config = util.default(self, "sm_config", dict)
        for key in SM_CONFIG_PASS_THROUGH_FIELDS:
            value = self.sr.srcmd.params.get("vdi_sm_config", {}).get(key)
            if value:
                sm_config[key] = value
        when = xmlrpc.client.DateTime(util.default(self, "snapshot_time", lambda: "19700101T00:00:00Z"))
        return str(self.sr.session.xenapi.VDI.db_introduce(
            uuid, self.label, self.description, self.sr.sr_ref, util.default(self, "ty", lambda: "user"),
            self.shareable, self.read_only, {}, self.location, {}, sm_config, self.managed, str(self.size),
            str(self.utilisation), util.default(self, "metadata_of_pool", lambda: _NULL),
            util.default(self, "is_a_snapshot", bool), when, util.default(self, "snapshot_of", lambda: _NULL),
            util.default(self, "cbt_enabled", bool)))

    def _db_forget(self) -> None:
        self.sr.forget_vdi(self.uuid)

    def _override_sm_config(self, sm_config: Dict[str, str]) -> None:
        for key, value in self.sm_config_override.items():
            if value:
                sm_config[key] = value
            elif key in sm_config and value != sm_config[key]:
                del sm_config[key]

    def _db_update_sm_config(self, ref: str, sm_config: Dict[str, str]) -> None:
        """Make the row's sm_config equal to this one (what is not in it goes); keys of others stay."""
        xapi = self.sr.session.xenapi.VDI
        current = xapi.get_sm_config(ref)
        for key, value in sm_config.items():
            if not _protected(key) and value != current.get(key):
                xapi.remove_from_sm_config(ref, key)
                xapi.add_to_sm_config(ref, key, value)
        for key in current:
            if not _protected(key) and key not in self.sm_config_keep and not sm_config.get(key):
                xapi.remove_from_sm_config(ref, key)

    def _db_update(self) -> None:
        xapi = self.sr.session.xenapi.VDI
        ref = xapi.get_by_uuid(self.uuid)
        xapi.set_virtual_size(ref, str(self.size))
        xapi.set_physical_utilisation(ref, str(self.utilisation))
        xapi.set_read_only(ref, self.read_only)
        sm_config = util.default(self, "sm_config", dict)
        self._override_sm_config(sm_config)
        self._db_update_sm_config(ref, sm_config)
        xapi.set_cbt_enabled(ref, self._get_blocktracking_status())

    def in_sync_with_xenapi_record(self, x: Dict[str, Any]) -> bool:
        """Whether nothing needs to be written to the row x."""
        mine = (self.location, self.read_only, str(self.size), str(self.utilisation),
                util.default(self, "sm_config", dict), self.cbt_enabled)
        row = (util.to_plain_string(x["location"]), x["read_only"], x["virtual_size"],
               x["physical_utilisation"], x["sm_config"], x["cbt_enabled"])
        if mine != row:
            util.SMlog("VDI differs from its row: %r <> %r" % (mine, row))
        return mine == row

    def configure_blocktracking(self, sr_uuid: str, vdi_uuid: str, enable: bool) -> None:
        """The base offers it for copy-on-write images only, of which this tree has none."""
        vdi_ref = self.sr.srcmd.params["vdi_ref"]
        if self.vdi_type in ("vhd", "qcow2"):
            self.session.xenapi.VDI.get_is_a_snapshot(vdi_ref)
            raise NotImplementedError("no copy-on-write images in the stand-in")
        raise xs_errors.XenError("VDIType", opterr="Raw VDI or snapshot not permitted")

    def data_destroy(self, sr_uuid: str, vdi_uuid: str) -> None:
        """Delete a snapshot's data but not its row."""
        if not self.session.xenapi.VDI.get_is_a_snapshot(self.sr.srcmd.params["vdi_ref"]):
            raise xs_errors.XenError("VDIType", opterr="Only allowed for snapshot VDIs")
        self.delete(sr_uuid, vdi_uuid, data_only=True)

    def list_changed_blocks(self) -> str:
        """Blocks that differ between this disk and the one in args; the base finds logs of neither."""
        other = self.session.xenapi.VDI.get_uuid(self.sr.srcmd.params["args"][0])
        if other == self.uuid:
            raise xs_errors.XenError("CBTChangedBlocksError", "Source and target VDI are same")
        if self._get_blocktracking_status(self.uuid) and self._get_blocktracking_status(other):
            raise NotImplementedError("no logs of changed blocks in the stand-in")
        raise xs_errors.XenError("CBTChangedBlocksError", "Source and target VDI are unrelated")

    def _get_blocktracking_status(self, uuid: Optional[str] = None) -> bool:
        """Off for raw disks; others depend on the type's capability and on a log file."""
        if self.vdi_type == _RAW:
            return False
        if "VDI_CONFIG_CBT" not in util.sr_get_capability(self.sr.uuid, session=self.sr.session):
            return False
        return self._cbt_log_exists(self._get_cbt_logpath(uuid or self.uuid))

    def _no_log(self) -> None:
        """The point where the real class works on a log file, if the disk has one."""
        if self._get_blocktracking_status():
            raise NotImplementedError("no logs of changed blocks in the stand-in: override this method")

    def _cbt_log_exists(self, logpath: str) -> bool:
        raise xs_errors.XenError("Unimplemented")

    def _delete_cbt_log(self) -> None:
        raise xs_errors.XenError("Unimplemented")

    def _rename(self, old: str, new: str) -> None:
        raise xs_errors.XenError("Unimplemented")

    def _ensure_cbt_space(self) -> None:
        """A hook, empty here."""

    def _get_cbt_logname(self, uuid: str) -> str:
        return "%s.cbtlog" % uuid

    def _get_cbt_logpath(self, uuid: str) -> str:
        return "%s/%s" % (self.sr.path, self._get_cbt_logname(uuid))

    def _activate_cbt_log(self, logname: str) -> bool:
        return False

    def _deactivate_cbt_log(self, logname: str) -> None:
        """A hook, empty here."""


def _protected(key: str) -> bool:
    return key.startswith("host_") or key in _PROTECTED_KEYS
