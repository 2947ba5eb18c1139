"""Base class of storage repositories, and the comparison of an SR with XAPI's database."""

import copy
import importlib.util
import os
import xmlrpc.client
from typing import Any, Dict, List, Set

import util
import VDI
import XenAPI
import xs_errors

backends: List[Any] = []


def registerSR(SRClass: Any) -> None:
    """A driver's module announces its class when it is imported."""
    backends.append(SRClass)


def driver(type: str) -> Any:
    """The announced class that handles an SR type."""
    for backend in backends:
        if backend.handles(type):
            return backend
    raise xs_errors.XenError("SRUnknownType")


class SR:
    """One SR during one command; drivers override what they offer."""

    @staticmethod
    def handles(type: str) -> bool:
        """Whether this class is the driver of an SR type."""
        return False

    def __init__(self, srcmd: Any, sr_uuid: str) -> None:
        self.other_config: Dict[str, str] = {}
        self.srcmd = srcmd
        self.dconf = srcmd.dconf
        self.session: Any = None
        if "session_ref" in srcmd.params:
            self.session_ref = srcmd.params["session_ref"]
            self.session = XenAPI.xapi_local()
            self.session._session = self.session_ref
            if "subtask_of" in srcmd.params:
                self.session.transport.add_extra_header("Subtask-of", srcmd.params["subtask_of"])
        self.host_ref = srcmd.params.get("host_ref", "")
        self.sr_ref = srcmd.params.get("sr_ref")
        self.uuid = sr_uuid
        self.label = ""
        self.description = ""
        self.cmd = srcmd.params["command"]
        self.vdis: Dict[str, Any] = {}
        self.physical_utilisation = 0
        self.virtual_allocation = 0
        self.physical_size = 0
        self.sr_vditype = ""
        self.passthrough = False
        self.original_srcmd = copy.deepcopy(srcmd)
        self.default_vdi_visibility = True
        self.scheds = ["none", "noop"]
        self._mpathinit()
        self.direct = False
        self.ops_exclusive: List[str] = []
        self.driver_config: Dict[str, Any] = {}
        self.load(sr_uuid)

    @staticmethod
    def from_uuid(session: Any, sr_uuid: str) -> Any:
        """A second object of an SR, from this host's PBD; executes the driver's module anew."""
        xapi = session.xenapi
        sr_ref = xapi.SR.get_by_uuid(sr_uuid)
        sm_type = xapi.SR.get_type(sr_ref)
        sms = xapi.SM.get_all_records_where('field "type" = "%s"' % sm_type)
        sm_ref, _ = sms.popitem()
        assert not sms
        path = xapi.SM.get_driver_filename(sm_ref)
        # No spec without a known suffix of the real file: the next line fails then, as in the real tree.
        spec: Any = importlib.util.spec_from_file_location(os.path.basename(path), os.path.realpath(path))
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        target = driver(sm_type)
        host_ref = util.get_localhost_ref(session)
        pbds = xapi.PBD.get_all_records_where('field "SR" = "%s" andfield "host" = "%s"' % (sr_ref, host_ref))
        pbd_ref, _ = pbds.popitem()
        assert not pbds
        device_config = xapi.PBD.get_device_config(pbd_ref)

        from SRCommand import SRCommand

        command = SRCommand(module.DRIVER_INFO)
        command.dconf = device_config
        command.params = {"session_ref": session._session, "host_ref": host_ref, "sr_ref": sr_ref,
                          "device_config": device_config, "sr_uuid": sr_uuid, "command": "nop"}
        return target(command, sr_uuid)

    def load(self, sr_uuid: str) -> None:
        """A hook, empty here."""

    def create(self, uuid: str, size: int) -> None:
        raise xs_errors.XenError("Unimplemented")

    def delete(self, uuid: str) -> None:
        raise xs_errors.XenError("Unimplemented")

    def update(self, uuid: str) -> None:
        """A hook, empty here."""

    def attach(self, uuid: str) -> None:
        raise xs_errors.XenError("Unimplemented")

    def after_master_attach(self, uuid: str) -> None:
        """On the master after every attach, also a failed one: scan; a failure becomes a message."""
        try:
            self.scan(uuid)
        except Exception as error:
            util.SMlog("Error in SR.after_master_attach %s" % error)
            self.session.xenapi.message.create(
                "POST_ATTACH_SCAN_FAILED", 2, "SR", uuid,
                "Failed to scan SR %s after attaching, error %s" % (uuid, error))

    def detach(self, uuid: str) -> None:
        raise xs_errors.XenError("Unimplemented")

    def probe(self) -> str:
        raise xs_errors.XenError("Unimplemented")

    def scan(self, uuid: str) -> None:
        """Write the SR's figures and make XAPI's list of disks equal to ``self.vdis``."""
        self._db_update()
        ScanRecord(self).synchronise()

    def replay(self, uuid: str) -> None:
        raise xs_errors.XenError("Unimplemented")

    def content_type(self, uuid: str) -> str:
        return xmlrpc.client.dumps((str(self.sr_vditype),), "", True)

    def check_sr(self, sr_uuid: str) -> None:
        """A hook, empty here."""

    def vdi(self, uuid: str) -> Any:
        """An object for a disk, whether it exists or not."""
        raise xs_errors.XenError("Unimplemented")

    def forget_vdi(self, uuid: str) -> None:
        self.session.xenapi.VDI.db_forget(self.session.xenapi.VDI.get_by_uuid(uuid))

    def cleanup(self) -> None:
        """A hook, empty here."""

    def _db_update(self) -> None:
        xapi_sr = self.session.xenapi.SR
        ref = xapi_sr.get_by_uuid(self.uuid)
        xapi_sr.set_virtual_allocation(ref, str(self.virtual_allocation))
        xapi_sr.set_physical_size(ref, str(self.physical_size))
        xapi_sr.set_physical_utilisation(ref, str(self.physical_utilisation))

    def _mpathinit(self) -> None:
        """Only the null module exists here, but XAPI is asked as the real constructor does."""
        self.mpath = "false"
        self.mpathhandle = "null"
        if "multipathing" not in self.dconf or "multipathhandle" not in self.dconf:
            try:
                self.session.xenapi.host.get_other_config(self.host_ref)
            except Exception:
                util.SMlog("no multipath settings: no XAPI")
        self.mpathmodule = __import__("mpath_null")

    def check_dconf(self, key_list: List[str], raise_flag: bool = True) -> Set[str]:
        """The keys that device_config lacks; ConfigParamsMissing if there are any and raise_flag is set."""
        missing = {key for key in key_list if key not in self.dconf}
        if missing and raise_flag:
            raise xs_errors.XenError("ConfigParamsMissing", opterr="device-config is missing the following "
                                     "parameters: " + ", ".join(missing))
        return missing


class ScanRecord:
    """Difference between ``sr.vdis`` and the rows of XAPI's database; rows are matched by location."""

    def __init__(self, sr: Any) -> None:
        self.sr = sr
        records = util.list_VDI_records_in_sr(sr)
        self.__xenapi = {util.to_plain_string(row["location"]): row for row in records.values()}
        self.__sm: Dict[str, Any] = {}
        for vdi in sr.vdis.values():
            self._complete_sm_config(vdi)
            self.__sm[vdi.location] = vdi
        self.new = set(self.__sm) - set(self.__xenapi)
        self.gone = set(self.__xenapi) - set(self.__sm)
        common = set(self.__sm) & set(self.__xenapi)
        for location in common:
            vdi = self.__sm[location]
            vdi.uuid = util.default(vdi, "uuid", lambda: self.__xenapi[location]["uuid"])  # noqa: B023
        self.existing = [location for location in common
                         if not self.__sm[location].in_sync_with_xenapi_record(self.__xenapi[location])]
        util.SMlog("scan: new %r, gone %r, changed %r" % (self.new, self.gone, self.existing))

    def _complete_sm_config(self, vdi: Any) -> None:
        """What the driver did not set comes from the row; the image format is always there; overrides win."""
        try:
            if not hasattr(vdi, "sm_config"):
                vdi.sm_config = self.__xenapi[vdi.location]["sm_config"].copy()
        except Exception:
            util.SMlog("missing config for vdi: %s" % vdi.location)
            vdi.sm_config = {}
        if "image-format" not in vdi.sm_config and vdi.vdi_type in VDI._IMAGE_FORMATS:
            vdi.sm_config["image-format"] = VDI._IMAGE_FORMATS[vdi.vdi_type]
        vdi._override_sm_config(vdi.sm_config)

    def get_sm_vdi(self, location: str) -> Any:
        return self.__sm[location]

    def get_xenapi_vdi(self, location: str) -> Any:
        return self.__xenapi[location]

    def all_xenapi_locations(self) -> Set[str]:
        return set(self.__xenapi)

    def synchronise_new(self) -> None:
        for location in self.new:
            util.SMlog("Introducing VDI with location=%s" % location)
            self.__sm[location]._db_introduce()

    def synchronise_gone(self) -> None:
        for location in self.gone:
            uuid = self.__xenapi[location]["uuid"]
            util.SMlog("Forgetting VDI with location=%s uuid=%s" % (location, uuid))
            try:
                self.sr.forget_vdi(uuid)
            except XenAPI.Failure as failure:
                if not util.isInvalidVDI(failure):
                    raise

    def synchronise_existing(self) -> None:
        """Write what differs."""
        for location in self.existing:
            util.SMlog("Updating VDI with location=%s" % location)
            self.__sm[location]._db_update()

    def synchronise(self) -> None:
        self.synchronise_new()
        self.synchronise_gone()
        self.synchronise_existing()
