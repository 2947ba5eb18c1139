"""One command of XAPI to a driver: read it, run it under the right locks, print one XML-RPC response."""

import os
import sys
import traceback
import xmlrpc.client
from typing import Any, Callable, Dict

import blktap2
import resetvdis
import util
import XenAPI
import xs_errors

NEEDS_VDI_OBJECT = [
    "vdi_update", "vdi_create", "vdi_delete", "vdi_snapshot", "vdi_clone", "vdi_resize", "vdi_resize_online",
    "vdi_attach", "vdi_detach", "vdi_activate", "vdi_deactivate", "vdi_attach_from_config",
    "vdi_detach_from_config", "vdi_generate_config", "vdi_compose", "vdi_epoch_begin", "vdi_epoch_end",
    "vdi_enable_cbt", "vdi_disable_cbt", "vdi_data_destroy", "vdi_list_changed_blocks",
]
EXCEPTION_TYPE = {
    "sr_scan": "SRScan", "vdi_init": "VDILoad", "vdi_create": "VDICreate", "vdi_delete": "VDIDelete",
    "vdi_attach": "VDIUnavailable", "vdi_detach": "VDIUnavailable", "vdi_activate": "VDIUnavailable",
    "vdi_deactivate": "VDIUnavailable", "vdi_resize": "VDIResize", "vdi_resize_online": "VDIResize",
    "vdi_snapshot": "VDISnapshot", "vdi_clone": "VDIClone",
}


def _call(argument: str) -> Any:
    return xmlrpc.client.loads(os.fsencode(argument))


class SRCommand:
    """The command; drivers see it as ``self.srcmd``. ``params`` is what XAPI sent, until it is logged."""

    def __init__(self, driver_info: Any) -> None:
        self.dconf: Any = ""
        self.type = ""
        self.sr_uuid = ""
        self.cmdname = ""
        self.cmdtype = ""
        self.cmd: Any = None
        self.args: Any = None
        self.driver_info = driver_info

    def parse(self) -> None:
        """Read the one argument; BadRequest for anything else than one call with one struct."""
        if len(sys.argv) != 2:
            util.SMlog("Failed to parse commandline; wrong number of arguments; argv = %r" % (sys.argv,))
            raise xs_errors.XenError("BadRequest")
        try:
            params, self.cmd = _call(sys.argv[1])
            self.params = params[0]
            self.dconf = self.params["device_config"]
            self.sr_uuid = self.params.get("sr_uuid", "")
            if "vdi_uuid" in self.params:
                self.vdi_uuid = self.params["vdi_uuid"]
            elif self.cmd == "vdi_create":
                self.vdi_uuid = util.gen_uuid()
        except Exception as error:
            util.SMlog("Failed to parse commandline; exception = %s argv = %r" % (error, sys.argv))
            raise xs_errors.XenError("BadRequest") from error

    def run_statics(self) -> None:
        """Answer what needs no SR, and end."""
        if self.params["command"] == "sr_get_driver_info":
            print(util.sr_get_driver_info(self.driver_info))
            sys.exit(0)

    def run(self, sr: Any) -> Any:
        """Run the command; SM's and XAPI's exceptions become the numbered error of the command."""
        try:
            return self._run_locked(sr)
        except (util.CommandException, util.SMException, XenAPI.Failure) as error:
            util.logException(self.cmd)
            text = str(error)
            if isinstance(error, util.CommandException):
                text = "Command %s failed (%s): %s" % (error.cmd, error.reason, os.strerror(abs(error.code)))
            raise xs_errors.XenError(EXCEPTION_TYPE.get(self.cmd) or "SMGeneral", opterr=text) from error
        except blktap2.TapdiskFailed as error:
            util.logException("tapdisk failed exception: %s" % error)
            code = error.get_error().get_error_code()
            raise xs_errors.XenError("TapdiskFailed", os.strerror(code)) from error
        except blktap2.TapdiskExists as error:
            util.logException("tapdisk exists exception: %s" % error)
            raise xs_errors.XenError("TapdiskAlreadyRunning", str(error)) from error
        except BaseException:
            util.logException("generic exception: %s" % self.cmd)
            raise

    def _run_locked(self, sr: Any) -> Any:
        """Exclusive commands hold ``sr.lock`` throughout; ``vdi_init`` locks the making of the VDI only."""
        whole = self.cmd in sr.ops_exclusive
        needs_vdi = self.cmd in NEEDS_VDI_OBJECT
        init_only = not whole and needs_vdi and "vdi_init" in sr.ops_exclusive
        failed = True
        if whole or init_only:
            sr.lock.acquire()
        try:
            try:
                target = sr.vdi(self.vdi_uuid) if needs_vdi else None
            finally:
                if init_only:
                    sr.lock.release()
            result = self._run(sr, target)
            failed = False
        finally:
            if whole:
                sr.lock.release()
            self._clean_up(sr, failed)
        return result

    @staticmethod
    def _clean_up(sr: Any, failed: bool) -> None:
        try:
            sr.cleanup()
        except Exception as error:
            util.SMlog("failed to clean up SR: %s" % error)
            if not failed:
                raise

    def _log(self) -> None:
        """Log the parameters, masked: the command's own copy is what gets masked, as in 8.3."""
        if "device_config" in self.params:
            util.hidePasswdInParams(self.params, "device_config")
        if "session_ref" in self.params:
            self.params["session_ref"] = "******"
        util.SMlog("%s %r" % (self.cmd, self.params))

    def _run(self, sr: Any, target: Any) -> Any:
        self._log()
        command = _COMMANDS.get(self.cmd)
        if command is None:
            util.SMlog("Unknown command: %s" % self.cmd)
            raise xs_errors.XenError("BadRequest")
        return command(self, sr, target)

    def _ids(self) -> Any:
        """SR and VDI of the command."""
        return self.params["sr_uuid"], self.vdi_uuid

    def _caching(self) -> Dict[str, Any]:
        """The parameters about caching; absent ones are None."""
        keys = (blktap2.VDI.CONF_KEY_ALLOW_CACHING, blktap2.VDI.CONF_KEY_MODE_ON_BOOT,
                blktap2.VDI.CONF_KEY_CACHE_SR, blktap2.VDI.CONF_KEY_O_DIRECT)
        return {key: self.params.get(key) for key in keys}

    def _tap(self, target: Any) -> Any:
        """The disk with tapdisk around it."""
        return blktap2.VDI(self.vdi_uuid, target, self.driver_info)


def _legal(label: str, description: str) -> None:
    if not util.isLegalXMLString(label) or not util.isLegalXMLString(description):
        raise xs_errors.XenError("IllegalXMLChar", opterr="the name or the description has characters that "
                                 "XML does not allow, see www.w3.org/TR/2004/REC-xml-20040204/#charsets")


def _vdi_create(cmd: SRCommand, sr: Any, target: Any) -> Any:
    args = cmd.params["args"]
    target.label, target.description = args[1], args[2]
    _legal(target.label, target.description)
    target.ty = cmd.params["vdi_type"]
    target.metadata_of_pool = args[3]
    target.is_a_snapshot = args[4] == "true"
    target.snapshot_time = args[5]
    target.snapshot_of = args[6]
    target.read_only = args[7] == "true"
    return target.create(cmd.params["sr_uuid"], cmd.vdi_uuid, int(args[0]))


def _vdi_update(cmd: SRCommand, sr: Any, target: Any) -> Any:
    xapi = sr.session.xenapi.VDI
    ref = xapi.get_by_uuid(cmd.vdi_uuid)
    label = xapi.get_name_label(ref)
    _legal(label, xapi.get_name_description(ref))
    return target.update(*cmd._ids())


def _vdi_introduce(cmd: SRCommand, sr: Any, target: Any) -> Any:
    uuid = cmd.params["new_uuid"]
    return sr.vdi(uuid).introduce(cmd.params["sr_uuid"], uuid)


def _vdi_delete(cmd: SRCommand, sr: Any, target: Any) -> Any:
    if "VDI_CONFIG_CBT" in util.sr_get_capability(cmd.params["sr_uuid"], session=sr.session):
        return target.delete(*cmd._ids(), data_only=False)
    return target.delete(*cmd._ids())


def _vdi_attach(cmd: SRCommand, sr: Any, target: Any) -> Any:
    return cmd._tap(target).attach(*cmd._ids(), cmd.params["args"][0] == "true", caching_params=cmd._caching())


def _vdi_activate(cmd: SRCommand, sr: Any, target: Any) -> Any:
    return cmd._tap(target).activate(*cmd._ids(), cmd.params["args"][0] == "true", cmd._caching())


def _vdi_epoch_begin(cmd: SRCommand, sr: Any, target: Any) -> Any:
    if cmd._caching()[blktap2.VDI.CONF_KEY_MODE_ON_BOOT] != "reset":
        return None
    if "VDI_RESET_ON_BOOT/2" not in cmd.driver_info["capabilities"]:
        raise xs_errors.XenError("Unimplemented")
    return target.reset_leaf(*cmd._ids())


def _vdi_compose(cmd: SRCommand, sr: Any, target: Any) -> Any:
    first = sr.session.xenapi.VDI.get_uuid(cmd.params["args"][0])
    return target.compose(cmd.params["sr_uuid"], first, cmd.vdi_uuid)


def _vdi_attach_from_config(cmd: SRCommand, sr: Any, target: Any) -> Any:
    reply = target.attach_from_config(*cmd._ids())
    if not target.sr.driver_config.get("ATTACH_FROM_CONFIG_WITH_TAPDISK"):
        return reply
    return cmd._tap(target).attach(*cmd._ids(), True, True)


def _vdi_detach_from_config(cmd: SRCommand, sr: Any, target: Any) -> Any:
    if target.sr.driver_config.get("ATTACH_FROM_CONFIG_WITH_TAPDISK"):
        cmd._tap(target).detach(*cmd._ids(), deactivate=True, caching_params=cmd._caching())
    else:
        target.detach(*cmd._ids())


def _sr_probe(cmd: SRCommand, sr: Any, target: Any) -> Any:
    text = sr.probe()
    util.SMlog("sr_probe result: %s" % util.splitXmlText(text, showContd=True))
    return xmlrpc.client.dumps((text,), "", True)


def _sr_attach(cmd: SRCommand, sr: Any, target: Any) -> Any:
    """Clear this host's tags; on the master ask for a scan before, and scan after, whatever attach did."""
    master = sr.dconf.get("SRmaster") == "true"
    resetvdis.reset_sr(sr.session, util.get_this_host(), cmd.params["sr_uuid"], master)
    if master:
        util.set_dirty(sr.session, cmd.params["sr_ref"])
    try:
        return sr.attach(cmd.params["sr_uuid"])
    finally:
        if master:
            sr.after_master_attach(cmd.params["sr_uuid"])


_COMMANDS: Dict[str, Callable[[SRCommand, Any, Any], Any]] = {
    "vdi_create": _vdi_create,
    "vdi_update": _vdi_update,
    "vdi_introduce": _vdi_introduce,
    "vdi_delete": _vdi_delete,
    "vdi_attach": _vdi_attach,
    "vdi_detach": lambda cmd, sr, target: cmd._tap(target).detach(*cmd._ids()),
    "vdi_activate": _vdi_activate,
    "vdi_deactivate": lambda cmd, sr, target: cmd._tap(target).deactivate(*cmd._ids(), cmd._caching()),
    "vdi_snapshot": lambda cmd, sr, target: target.snapshot(*cmd._ids()),
    "vdi_clone": lambda cmd, sr, target: target.clone(*cmd._ids()),
    "vdi_resize": lambda cmd, sr, target: target.resize(*cmd._ids(), int(cmd.params["args"][0])),
    "vdi_resize_online": lambda cmd, sr, target: target.resize_online(*cmd._ids(), int(cmd.params["args"][0])),
    "vdi_epoch_begin": _vdi_epoch_begin,
    "vdi_epoch_end": lambda cmd, sr, target: None,
    "vdi_generate_config": lambda cmd, sr, target: target.generate_config(*cmd._ids()),
    "vdi_compose": _vdi_compose,
    "vdi_attach_from_config": _vdi_attach_from_config,
    "vdi_detach_from_config": _vdi_detach_from_config,
    "vdi_enable_cbt": lambda cmd, sr, target: target.configure_blocktracking(*cmd._ids(), True),
    "vdi_disable_cbt": lambda cmd, sr, target: target.configure_blocktracking(*cmd._ids(), False),
    "vdi_data_destroy": lambda cmd, sr, target: target.data_destroy(*cmd._ids()),
    "vdi_list_changed_blocks": lambda cmd, sr, target: target.list_changed_blocks(),
    "sr_create": lambda cmd, sr, target: sr.create(cmd.params["sr_uuid"], int(cmd.params["args"][0])),
    "sr_delete": lambda cmd, sr, target: sr.delete(cmd.params["sr_uuid"]),
    "sr_update": lambda cmd, sr, target: sr.update(cmd.params["sr_uuid"]),
    "sr_probe": _sr_probe,
    "sr_attach": _sr_attach,
    "sr_detach": lambda cmd, sr, target: sr.detach(cmd.params["sr_uuid"]),
    "sr_content_type": lambda cmd, sr, target: sr.content_type(cmd.params["sr_uuid"]),
    "sr_scan": lambda cmd, sr, target: sr.scan(cmd.params["sr_uuid"]),
}


def run(driver: Any, driver_info: Any) -> None:
    """Entry point of every driver: print one response and exit with 0, also for errors."""
    cmd = SRCommand(driver_info)
    try:
        cmd.parse()
        cmd.run_statics()
        sr = driver(cmd, cmd.sr_uuid)
        sr.direct = True
        result = cmd.run(sr)
        print(util.return_nil() if result is None else result)
    except xmlrpc.client.ProtocolError:
        text = traceback.format_exc()
        util.SMlog("XenAPI Protocol error %s" % text)
        print(xs_errors.XenError("APIProtocolError", opterr=text).toxml())
    except Exception as error:
        util.logException(driver_info.get("name"))
        if isinstance(error, xs_errors.SRException):
            print(error.toxml())
        else:
            print(xmlrpc.client.dumps(xmlrpc.client.Fault(1200, str(error)), "", True))
    sys.exit(0)
