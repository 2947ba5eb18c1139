"""Tapdisk around a driver's disk: tags in sm_config, the tapdisk process, and links to it below /dev/sm."""

import http.client
import os
import time
import xmlrpc.client
from base64 import b64encode
from typing import Any, Callable, Dict, List, Optional, Tuple

import resetvdis
import util
import VDI as sm
import XenAPI
import xs_errors
from _links import BackendLink, NBDLink, NotABlockDevice, PhyLink
from _tapdisk import (
    Blktap,
    TapCtl,
    Tapdisk,
    TapdiskExists,
    TapdiskFailed,
    TapdiskInvalidState,
    TapdiskNotRunning,
    TapdiskNotUnique,
    best_effort,
)
from lock import Lock

__all__ = ["VDI", "Blktap", "TapCtl", "Tapdisk", "TapdiskExists", "TapdiskFailed", "TapdiskInvalidState",
           "TapdiskNotRunning", "TapdiskNotUnique"]
_Method = Callable[..., Any]
PLUGIN_TAP_PAUSE = "tapdisk-pause"
_POOL_NAME_KEY = "mem-pool"
_POOL_SIZE_KEY = "mem-pool-size-rings"
NUM_PAGES_PER_RING = 32 * 11
MAX_FULL_RINGS = 8
ENABLE_MULTIPLE_ATTACH = "/etc/xensource/allow_multiple_vdi_attach"
NO_MULTIPLE_ATTACH = not os.path.exists(ENABLE_MULTIPLE_ATTACH)


def locking(excType: str, override: bool = True) -> Callable[[_Method], _Method]:
    """Run a method under ``self.lock``; SM's and XAPI's exceptions become the error excType."""

    def decorate(op: _Method) -> _Method:
        def wrapper(self: Any, *args: Any) -> Any:
            self.lock.acquire()
            try:
                return op(self, *args)
            except (util.SMException, XenAPI.Failure) as error:
                util.logException("BLKTAP2:%s" % op)
                text = str(error)
                if isinstance(error, util.CommandException):
                    text = "Command %s failed (%s): %s" % (error.cmd, error.code, error.reason)
                if override:
                    raise xs_errors.XenError(excType, opterr=text) from error
                raise
            except BaseException:
                util.logException("BLKTAP2:%s" % op)
                raise
            finally:
                self.lock.release()

        return wrapper

    return decorate


class VDI:
    """A driver's disk with a tapdisk before it."""

    CONF_KEY_ALLOW_CACHING = "vdi_allow_caching"
    CONF_KEY_MODE_ON_BOOT = "vdi_on_boot"
    CONF_KEY_CACHE_SR = "local_cache_sr"
    CONF_KEY_O_DIRECT = "o_direct"
    ATTACH_DETACH_RETRY_SECS = 120
    VDI_PLUG_TYPE = {"phy": "phy", "raw": "phy", "aio": "tap", "iso": "tap", "file": "tap", "vhd": "tap",
                     "qcow2": "tap"}

    class UnexpectedVDIType(Exception):

        def __init__(self, vdi_type: str, target: Any) -> None:
            super().__init__(vdi_type, target)
            self.vdi_type = vdi_type
            self.target = target

        def __str__(self) -> str:
            return "Target %s has unexpected VDI type '%s'" % (type(self.target), self.vdi_type)

    PhyLink = PhyLink
    NBDLink = NBDLink
    _BackendLink = BackendLink

    class TargetDriver:

        def __init__(self, vdi: Any, driver_info: Dict[str, Any]) -> None:
            self.vdi = vdi
            self._caps = driver_info["capabilities"]

        def has_cap(self, cap: str) -> bool:
            """Whether DRIVER_INFO names a capability."""
            return cap in self._caps

        def attach(self, sr_uuid: str, vdi_uuid: str) -> Any:
            """The driver's attach."""
            return self.vdi.attach(sr_uuid, vdi_uuid)

        def detach(self, sr_uuid: str, vdi_uuid: str) -> None:
            """The driver's detach."""
            self.vdi.detach(sr_uuid, vdi_uuid)

        def activate(self, sr_uuid: str, vdi_uuid: str) -> Any:
            """The driver's activate."""
            return self.vdi.activate(sr_uuid, vdi_uuid) if self.has_cap("VDI_ACTIVATE") else None

        def deactivate(self, sr_uuid: str, vdi_uuid: str) -> None:
            """The driver's deactivate."""
            if self.has_cap("VDI_DEACTIVATE"):
                self.vdi.deactivate(sr_uuid, vdi_uuid)

        def get_vdi_type(self) -> str:
            """The driver's vdi_type."""
            if not self.vdi.vdi_type:
                raise VDI.UnexpectedVDIType(self.vdi.vdi_type, self.vdi)
            return str(self.vdi.vdi_type)

    def __init__(self, uuid: str, target: Any, driver_info: Dict[str, Any]) -> None:
        self.target = self.TargetDriver(target, driver_info)
        self._vdi_uuid = uuid
        self._session = target.session
        self.xenstore_data = _scsi_identity(uuid)
        self.lock: Any = Lock("vdi", uuid)
        self.tap: Any = None

    def get_o_direct_capability(self, options: Dict[str, Any]) -> Tuple[bool, str]:
        """Direct I/O, and why: by licence, or because only file SRs can cache reads."""
        if util.read_caching_is_restricted(self._session):
            return True, "LICENSE_RESTRICTION"
        return True, "SR_NOT_SUPPORTED"

    def tap_wanted(self) -> bool:
        """Whether the driver's vdi_type gets a tapdisk."""
        vdi_type = self.target.get_vdi_type()
        if vdi_type not in self.VDI_PLUG_TYPE:
            raise self.UnexpectedVDIType(vdi_type, self.target.vdi)
        return self.VDI_PLUG_TYPE[vdi_type] == "tap"

    @classmethod
    def tap_pause(cls, session: Any, sr_uuid: str, vdi_uuid: str, failfast: bool = False) -> bool:
        """Mark the disk as paused, pause its tapdisk on every host with a tag; False if one fails."""
        util.SMlog("Pause request for %s" % vdi_uuid)
        vdi_ref = session.xenapi.VDI.get_by_uuid(vdi_uuid)
        session.xenapi.VDI.add_to_sm_config(vdi_ref, "paused", "true")
        for host_ref in _tagged(session, vdi_ref):
            if not cls.call_pluginhandler(session, host_ref, sr_uuid, vdi_uuid, "pause", failfast=failfast):
                session.xenapi.VDI.remove_from_sm_config(vdi_ref, "paused")
                return False
        return True

    @classmethod
    def tap_unpause(cls, session: Any, sr_uuid: str, vdi_uuid: str, secondary: Optional[str] = None,
                    activate_parents: bool = False) -> bool:
        """Undo tap_pause; False, with the mark left, if a host fails."""
        util.SMlog("Unpause request for %s secondary=%s" % (vdi_uuid, secondary))
        vdi_ref = session.xenapi.VDI.get_by_uuid(vdi_uuid)
        for host_ref in _tagged(session, vdi_ref):
            if not cls.call_pluginhandler(session, host_ref, sr_uuid, vdi_uuid, "unpause", secondary,
                                          activate_parents):
                return False
        session.xenapi.VDI.remove_from_sm_config(vdi_ref, "paused")
        return True

    @classmethod
    def tap_refresh(cls, session: Any, sr_uuid: str, vdi_uuid: str, activate_parents: bool = False) -> bool:
        """Make every tapdisk of the disk open its image again."""
        vdi_ref = session.xenapi.VDI.get_by_uuid(vdi_uuid)
        return all(cls.call_pluginhandler(session, host_ref, sr_uuid, vdi_uuid, "refresh", None,
                                          activate_parents=activate_parents)
                   for host_ref in _tagged(session, vdi_ref))

    @classmethod
    def tap_status(cls, session: Any, vdi_uuid: str) -> bool:
        """Whether any host has a tag."""
        return bool(_tagged(session, session.xenapi.VDI.get_by_uuid(vdi_uuid)))

    @classmethod
    def call_pluginhandler(cls, session: Any, host_ref: str, sr_uuid: str, vdi_uuid: str, action: str,
                           secondary: Optional[str] = None, activate_parents: bool = False,
                           failfast: bool = False) -> bool:
        """Call tapdisk-pause on a host; whatever goes wrong is False."""
        args = {"sr_uuid": sr_uuid, "vdi_uuid": vdi_uuid, "failfast": str(failfast)}
        if secondary:
            args["secondary"] = secondary
        if activate_parents:
            args["activate_parents"] = "true"
        try:
            return bool(session.xenapi.host.call_plugin(host_ref, PLUGIN_TAP_PAUSE, action, args) == "True")
        except Exception as error:
            util.logException("BLKTAP2:call_pluginhandler %s" % error)
            return False

    def _add_tag(self, vdi_uuid: str, writable: bool) -> bool:
        """Mark the disk as open on this host; False: paused or being relinked, try again."""
        mode = "RW" if writable else "RO"
        xapi = self._session.xenapi
        vdi_ref = xapi.VDI.get_by_uuid(vdi_uuid)
        host_key = "host_%s" % xapi.host.get_by_uuid(util.get_this_host())
        sm_config = xapi.VDI.get_sm_config(vdi_ref)
        attached_as = util.attached_as(sm_config)
        if NO_MULTIPLE_ATTACH and (attached_as == "RW" or (attached_as == "RO" and mode == "RW")):
            util.SMlog("need to reset VDI %s" % vdi_uuid)
            if not resetvdis.reset_vdi(self._session, vdi_uuid, False, term_output=False, writable=writable):
                raise util.SMException("VDI %s not detached cleanly" % vdi_uuid)
            sm_config = xapi.VDI.get_sm_config(vdi_ref)
        if "relinking" in sm_config or "paused" in sm_config:
            util.SMlog("Paused or relinking [%s]" % sm_config)
            return False
        try:
            xapi.VDI.add_to_sm_config(vdi_ref, "activating", "True")
        except XenAPI.Failure as failure:
            if failure.details[0] == "MAP_DUPLICATE_KEY" and not writable:
                return False
            raise
        assert host_key not in sm_config
        xapi.VDI.add_to_sm_config(vdi_ref, host_key, mode)
        sm_config = xapi.VDI.get_sm_config(vdi_ref)
        if "paused" in sm_config or "relinking" in sm_config:
            xapi.VDI.remove_from_sm_config(vdi_ref, host_key)
            xapi.VDI.remove_from_sm_config(vdi_ref, "activating")
            return False
        return True

    def _remove_tag(self, vdi_uuid: str) -> None:
        xapi = self._session.xenapi
        vdi_ref = xapi.VDI.get_by_uuid(vdi_uuid)
        host_key = "host_%s" % xapi.host.get_by_uuid(util.get_this_host())
        if host_key in xapi.VDI.get_sm_config(vdi_ref):
            xapi.VDI.remove_from_sm_config(vdi_ref, host_key)

    def _paused(self, vdi_uuid: str) -> bool:
        xapi = self._session.xenapi.VDI
        return "paused" in xapi.get_sm_config(xapi.get_by_uuid(vdi_uuid))

    def _get_pool_config(self, pool_name: str) -> Dict[str, str]:
        """Memory pool of the tapdisk; nothing when there is no XAPI."""
        params = self.target.vdi.sr.srcmd.params
        if not params.get("vdi_ref"):
            return {}
        rings = self._session.xenapi.SR.get_other_config(params.get("sr_ref")).get(_POOL_SIZE_KEY)
        disk = self._session.xenapi.VDI.get_other_config(params["vdi_ref"])
        if disk.get(_POOL_NAME_KEY):
            pool_name = disk[_POOL_NAME_KEY]
            rings = disk.get(_POOL_SIZE_KEY) or rings
        pool = {"mem-pool": pool_name}
        if rings and rings.isdigit() and 1 <= int(rings) <= MAX_FULL_RINGS:
            pool["mem-pool-size"] = str(NUM_PAGES_PER_RING * int(rings))
        return pool

    def attach(self, sr_uuid: str, vdi_uuid: str, writable: bool, activate: bool = False,
               caching_params: Any = {}) -> str:  # noqa: B006 - the real signature
        """Answer where the disk will be; with ATOMIC_PAUSE nothing is opened yet."""
        self.xenstore_data.update(self._get_pool_config(sr_uuid))
        if not self.target.has_cap("ATOMIC_PAUSE") or activate:
            self._attach(sr_uuid, vdi_uuid)
            self._publish(sr_uuid, vdi_uuid, self._activate(sr_uuid, vdi_uuid, {"rdonly": not writable}))
        back_path = self._BackendLink.from_uuid(sr_uuid, vdi_uuid).path()
        nbd = ""
        if self.tap_wanted():
            nbd = "nbd:unix:%s:exportname=%s" % (self.NBDLink.from_uuid(sr_uuid, vdi_uuid).path(), vdi_uuid)
        o_direct, reason = self.get_o_direct_capability(dict(caching_params, rdonly=not writable))
        struct = {"params": back_path, "params_nbd": nbd, "o_direct": o_direct, "o_direct_reason": reason,
                  "xenstore_data": self.xenstore_data}
        reply = xmlrpc.client.dumps((struct,), "", True)
        best_effort(_append, "%s.attach_info" % back_path, reply)
        return reply

    def activate(self, sr_uuid: str, vdi_uuid: str, writable: bool, caching_params: Dict[str, Any]) -> None:
        """Open the disk; waits up to two minutes for a pause to end."""
        options = dict(caching_params, rdonly=not writable)
        self._session.xenapi.SR.get_other_config(self.target.vdi.sr.srcmd.params.get("sr_ref"))
        self._persistently(vdi_uuid, lambda: self._activate_locked(sr_uuid, vdi_uuid, options))

    def deactivate(self, sr_uuid: str, vdi_uuid: str, caching_params: Dict[str, Any]) -> None:
        """Close the disk; waits up to two minutes for a pause to end."""
        self._persistently(vdi_uuid, lambda: self._deactivate_locked(sr_uuid, vdi_uuid, caching_params))

    def detach(self, sr_uuid: str, vdi_uuid: str, deactivate: bool = False,
               caching_params: Any = {}) -> None:  # noqa: B006 - the real signature
        """With ATOMIC_PAUSE there is nothing left to do."""
        if not self.target.has_cap("ATOMIC_PAUSE") or deactivate:
            self._deactivate(sr_uuid, vdi_uuid, caching_params)
            self._detach(sr_uuid, vdi_uuid)

    def _persistently(self, vdi_uuid: str, attempt: Callable[[], bool]) -> None:
        for _ in range(self.ATTACH_DETACH_RETRY_SECS):
            try:
                if attempt():
                    return
            except util.SRBusyException:
                util.SMlog("SR locked, retrying")
            time.sleep(1)
        raise util.SMException("VDI %s locked" % vdi_uuid)

    @locking("VDIUnavailable")
    def _activate_locked(self, sr_uuid: str, vdi_uuid: str, options: Dict[str, Any]) -> bool:
        tagged = self.tap_wanted()
        if tagged and not self._add_tag(vdi_uuid, not options["rdonly"]):
            return False
        try:
            if tagged:
                params = self.target.vdi.sr.srcmd.params
                self._refresh(vdi_uuid)
                self.target.vdi.sr.srcmd.params = params
            if self.target.has_cap("ATOMIC_PAUSE"):
                self._attach(sr_uuid, vdi_uuid)
            # 8.3 since its QCOW2 work: every other type, also raw and phy, ends here
            vdi_type = self.target.get_vdi_type()
            assert vdi_type in sm._IMAGE_FORMATS, "Unsupported vdi type: %s" % vdi_type
            dev_path = self._activate(sr_uuid, vdi_uuid, options)
        except BaseException:
            util.SMlog("Exception in activate/attach")
            # the driver's detach is not called: what attach made stays
            if self.tap_wanted():
                self._remove_tag_surely(vdi_uuid)
            raise
        finally:
            vdi_ref = self._session.xenapi.VDI.get_by_uuid(vdi_uuid)
            self._session.xenapi.VDI.remove_from_sm_config(vdi_ref, "activating")
        self._publish(sr_uuid, vdi_uuid, dev_path)
        return True

    def _remove_tag_surely(self, vdi_uuid: str) -> None:
        """As long as XAPI answers with HTTP 500, try again; any other problem leaves the tag."""
        while True:
            try:
                self._remove_tag(vdi_uuid)
                return
            except xmlrpc.client.ProtocolError as error:
                if error.errcode != http.client.INTERNAL_SERVER_ERROR:
                    util.SMlog("failed to remove tag: %s" % error)
                    return
            except Exception as error:
                util.SMlog("failed to remove tag: %s" % error)
                return

    def _refresh(self, vdi_uuid: str) -> None:
        target = sm.VDI.from_uuid(self.target.vdi.session, vdi_uuid)
        self.target = self.TargetDriver(target, target.sr.srcmd.driver_info)

    def _publish(self, sr_uuid: str, vdi_uuid: str, dev_path: str) -> None:
        self._BackendLink.from_uuid(sr_uuid, vdi_uuid).mklink(dev_path)
        if self.tap:
            socket = "/run/blktap-control/nbd%d.%d" % (self.tap.pid, self.tap.minor)
            self.NBDLink.from_uuid(sr_uuid, vdi_uuid).mklink(socket)

    def _attach(self, sr_uuid: str, vdi_uuid: str) -> None:
        info: Any = xmlrpc.client.loads(self.target.attach(sr_uuid, vdi_uuid))[0][0]
        self.xenstore_data.update(info["xenstore_data"])
        self.PhyLink.from_uuid(sr_uuid, vdi_uuid).mklink(util.to_plain_string(info["params"]))

    def _detach(self, sr_uuid: str, vdi_uuid: str) -> None:
        self.target.detach(sr_uuid, vdi_uuid)
        self.PhyLink.from_uuid(sr_uuid, vdi_uuid).unlink()

    def _activate(self, sr_uuid: str, vdi_uuid: str, options: Dict[str, Any]) -> str:
        """Start tapdisk on the target of the phy link; gives its device. Without tapdisk, that target."""
        extra = self.target.activate(sr_uuid, vdi_uuid)
        phy_path = str(self.PhyLink.from_uuid(sr_uuid, vdi_uuid).readlink())
        if not self.tap_wanted():
            return phy_path
        options["o_direct"] = self.get_o_direct_capability(options)[0]
        options.update(extra or {})
        self._get_pool_config(sr_uuid)
        self.tap = Tapdisk.find_by_path(phy_path)
        if not self.tap:
            blktap = Blktap.allocate()
            try:
                tap_type = {"vhd": "vhd", "qcow2": "qcow2"}.get(self.target.get_vdi_type(), "aio")
                self.tap = Tapdisk.launch_on_tap(blktap, phy_path, tap_type, options)
            except BaseException:
                blktap.free()
                raise
        util.SMlog("tap.activate: %s" % self.tap)
        return str(self.tap.get_devpath())

    @locking("VDIUnavailable")
    def _deactivate_locked(self, sr_uuid: str, vdi_uuid: str, caching_params: Dict[str, Any]) -> bool:
        if self.tap_wanted() and self._paused(vdi_uuid):
            return False
        self._deactivate(sr_uuid, vdi_uuid, caching_params)
        if self.target.has_cap("ATOMIC_PAUSE"):
            self._detach(sr_uuid, vdi_uuid)
        if self.tap_wanted():
            self._remove_tag(vdi_uuid)
        return True

    def _deactivate(self, sr_uuid: str, vdi_uuid: str, caching_params: Any) -> None:
        """Stop tapdisk, remove the links, then the driver's deactivate; none of it without a backend link."""
        back_link = self._BackendLink.from_uuid(sr_uuid, vdi_uuid)
        if not util.pathexists(back_link.path()):
            util.SMlog("Backend path %s does not exist" % back_link.path())
            return
        best_effort(os.unlink, "%s.attach_info" % back_link.path())
        try:
            major, minor = back_link.rdev()
            if major == Tapdisk.major():
                Tapdisk.from_minor(minor).shutdown()
        except NotABlockDevice:
            util.SMlog("%s is no block device" % back_link.path())
        except TapdiskNotRunning as error:
            util.SMlog("tap.deactivate: Warning, %s" % error)
        back_link.unlink()
        self.NBDLink.from_uuid(sr_uuid, vdi_uuid).unlink()
        if self.tap_wanted() and self.target.vdi.session is not None:
            self._refresh(vdi_uuid)
        self.target.deactivate(sr_uuid, vdi_uuid)


def _tagged(session: Any, vdi_ref: str) -> List[str]:
    sm_config = session.xenapi.VDI.get_sm_config(vdi_ref)
    return [key[len("host_"):] for key in sm_config if key.startswith("host_")]


def _scsi_identity(uuid: str) -> Dict[str, str]:
    """SCSI inquiry pages 0x80 (serial number) and 0x83 (identification) that guests see."""
    serial = b"\x00\x80\x00\x12" + uuid[:16].encode() + b"  "
    identity = b"\x00\x83\x00\x31\x02\x01\x00\x2dXENSRC  " + uuid.encode() + b" "
    return {"vdi-uuid": uuid, "scsi/0x12/0x80": b64encode(serial).decode(),
            "scsi/0x12/0x83": b64encode(identity).decode()}


def _append(path: str, text: str) -> None:
    with open(path, "a", encoding="utf-8") as stream:
        stream.write(text)
