"""What the storage manager and its drivers share: log, programs, XAPI look-ups, text rules."""

import copy
import errno
import glob
import os
import re
import subprocess
import sys
import syslog
import time
import traceback
import xml.dom.minidom
import xmlrpc.client
from typing import Any, Callable, Dict, List, Match, Optional, Tuple

import XenAPI
import xs_errors

NO_LOGGING_STAMPFILE = "/etc/xensource/no_sm_log"
LOGGING = not os.path.exists(NO_LOGGING_STAMPFILE)
LOG_ERR = syslog.LOG_ERR
LOG_WARNING = syslog.LOG_WARNING
LOG_INFO = syslog.LOG_INFO
LOG_DEBUG = syslog.LOG_DEBUG
PASSWD_PROP_KEYS = ["password", "cifspassword", "chappassword", "incoming_chappassword"]
DEFAULT_SEGMENT_LEN = 950
_INVENTORY = "/etc/xensource-inventory"
_UUID = "[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"


class SMException(Exception):
    """Base of the errors that SRCommand translates by command."""


class CommandException(SMException):
    """A program or system call failed; ``code`` is its exit status or errno."""

    def __init__(self, code: int, cmd: str = "", reason: str = "exec failed") -> None:
        self.code = code
        self.cmd = cmd
        self.reason = reason
        super().__init__(self.error_message(code))

    def error_message(self, code: int) -> str:
        """What a status means: an errno's text, a signal, or success."""
        if code < 0:
            return "Signalled %d" % -code
        return os.strerror(code) if code else "Success"


class SRBusyException(SMException):
    """The SR could not be locked."""


def SMlog(message: Any, ident: str = "SM", priority: int = LOG_INFO) -> None:
    """Write to the log, one record per line."""
    if not LOGGING:
        return
    syslog.openlog(ident, 0, syslog.LOG_LOCAL2)
    for line in str(message).split("\n"):
        syslog.syslog(priority, "[%d][MainThread] %s" % (os.getpid(), line))
    syslog.closelog()


def logException(tag: Any) -> None:
    """Log the exception that is being handled; ends the process for SystemExit."""
    kind, value, trace = sys.exc_info()
    if kind is SystemExit:
        sys.exit(0)
    SMlog("***** %s: EXCEPTION %s, %s\n%s" % (tag, kind, value, "".join(traceback.format_tb(trace))))


def roundup(divisor: int, value: int) -> int:
    """The next multiple of divisor; zero becomes one divisor."""
    return -(-int(value or 1) // divisor) * divisor


def to_plain_string(obj: Any) -> Any:
    """Text of a value out of XML-RPC, where an empty text can arrive as an empty struct."""
    if obj is None:
        return None
    return "" if obj == {} else str(obj)


def doexec(args: List[str], inputtext: Any = None, new_env: Optional[Dict[str, str]] = None,
           text: bool = True) -> Tuple[int, Any, Any]:
    """Run a program; gives exit status, stdout and stderr. Raises OSError when it cannot be started."""
    process = subprocess.Popen(args, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                               env=dict(os.environ, **new_env) if new_env else None, universal_newlines=text)
    if not text and inputtext is not None:
        inputtext = inputtext.encode()
    stdout, stderr = process.communicate(inputtext)
    return process.returncode, stdout, stderr


def pread(cmdlist: List[Any], close_stdin: bool = False, scramble: Optional[str] = None, expect_rc: int = 0,
          quiet: bool = False, new_env: Optional[Dict[str, str]] = None, text: bool = True) -> Any:
    """Run a program and give its stdout; an item may be a pair (real, text for the log)."""
    real = [item if isinstance(item, str) else item[0] for item in cmdlist]
    shown = [item if isinstance(item, str) else item[1] for item in cmdlist]
    if scramble:
        shown = ["<filtered out>" if scramble in item else item for item in shown]
    if not quiet:
        SMlog(shown)
    status, stdout, stderr = doexec(real, new_env=new_env, text=text)
    if status != expect_rc:
        SMlog("FAILED in util.pread: (rc %d) stdout: '%s', stderr: '%s'" % (status, stdout, stderr))
        raise CommandException(status, str(cmdlist), (stderr or stdout).strip())
    return stdout


def pread2(cmdlist: List[Any], quiet: bool = False, text: bool = True) -> Any:
    """See pread."""
    return pread(cmdlist, quiet=quiet, text=text)


def gen_uuid() -> str:
    """A new random UUID."""
    return str(pread(["uuidgen", "-r"])[:-1])


def match_uuid(s: str) -> Optional[Match[str]]:
    """Whether a text starts with a UUID."""
    return re.match(_UUID, s)


def exactmatch_uuid(s: str) -> Optional[Match[str]]:
    """Whether a text is a UUID."""
    return re.match(_UUID + "$", s)


def sr_get_capability(sr_uuid: str, session: Any = None) -> List[str]:
    """Capabilities of the SR's type as XAPI has registered them (not DRIVER_INFO)."""
    own = get_localAPI_session() if session is None else None
    xapi = session.xenapi if own is None else own.xenapi
    try:
        sm_type = xapi.SR.get_record(xapi.SR.get_by_uuid(sr_uuid))["type"]
        records = xapi.SM.get_all_records_where('field "type" = "%s"' % sm_type)
        return list(list(records.values())[0]["capabilities"]) if records else []
    finally:
        if own is not None:
            own.xenapi.session.logout()


def sr_get_driver_info(driver_info: Dict[str, Any]) -> str:
    """The XML-RPC reply to sr_get_driver_info; ATOMIC_PAUSE brings VDI_ACTIVATE and VDI_DEACTIVATE along."""
    fields = ("name", "description", "vendor", "copyright", "driver_version", "required_api_version")
    info = {key: driver_info[key] for key in fields}
    capabilities = driver_info["capabilities"]
    if "ATOMIC_PAUSE" in capabilities:
        capabilities.extend(x for x in ("VDI_ACTIVATE", "VDI_DEACTIVATE") if x not in capabilities)
    info["capabilities"] = capabilities
    info["configuration"] = [{"key": option[0], "description": option[1]}
                             for option in driver_info["configuration"]]
    return xmlrpc.client.dumps((info,), "", True)


def return_nil() -> str:
    """The XML-RPC reply that carries nothing."""
    return xmlrpc.client.dumps((None,), "", True, allow_none=True)


def SRtoXML(SRlist: Dict[str, Dict[str, Any]]) -> str:
    """The probe document: {sr uuid: {"size", "storagepool", "aggregate"}}, all of them optional."""
    document = xml.dom.minidom.Document()
    root = document.appendChild(document.createElement("SRlist"))
    for uuid, facts in SRlist.items():
        entry = root.appendChild(document.createElement("SR"))
        rows = [("UUID", uuid)]
        for key, tag in (("size", "Size"), ("storagepool", "StoragePool"), ("aggregate", "Aggregate")):
            if key in facts:
                rows.append((tag, str(facts[key])))
        for tag, text in rows:
            entry.appendChild(document.createElement(tag)).appendChild(document.createTextNode(text))
    return document.toprettyxml()


def pathexists(path: str) -> bool:
    """Whether there is a directory entry, also one that is a broken link."""
    return os.path.lexists(path)


def makedirs(name: str, mode: int = 0o777) -> None:
    """Make a directory with its parents; one that exists gets the mode."""
    os.makedirs(os.path.dirname(name) or ".", exist_ok=True)
    try:
        os.mkdir(name, mode)
    except OSError as error:
        if error.errno != errno.EEXIST or not os.path.isdir(name):
            raise
        os.chmod(name, mode)


def wait_for_path(path: str, timeout: int) -> bool:
    """Wait for a path (a glob) to appear, as many seconds as given."""
    for _ in range(timeout):
        if glob.glob(path):
            return True
        time.sleep(1)
    return False


def get_secret(session: Any, uuid: str) -> str:
    """The text of a XAPI secret; InvalidSecret when it cannot be had for any reason."""
    try:
        return str(session.xenapi.secret.get_value(session.xenapi.secret.get_by_uuid(uuid)))
    except Exception as error:
        raise xs_errors.XenError("InvalidSecret", opterr="Unable to look up secret [%s]" % uuid) from error


def get_localAPI_session() -> Any:
    """A new session of this host's root with XAPI's socket."""
    session = XenAPI.xapi_local()
    try:
        session.xenapi.login_with_password("root", "", "", "SM")
    except Exception as error:
        raise xs_errors.XenError("APISession") from error
    return session


def get_this_host() -> Optional[str]:
    """UUID of this host, by the inventory file."""
    return _inventory("INSTALLATION_UUID")


def get_this_host_ref(session: Any) -> str:
    """This host, found by its UUID."""
    return str(session.xenapi.host.get_by_uuid(get_this_host()))


def get_localhost_ref(session: Any) -> str:
    """This host, found through its control domain."""
    domain = _inventory("CONTROL_DOMAIN_UUID")
    if not domain:
        raise xs_errors.XenError("APILocalhost")
    for record in session.xenapi.VM.get_all_records_where('field "uuid" = "%s"' % domain).values():
        if record["uuid"] == domain:
            return str(record["resident_on"])
    raise xs_errors.XenError("APILocalhost")


def is_master(session: Any) -> bool:
    """Whether this host is the pool's master."""
    master = session.xenapi.pool.get_master(session.xenapi.pool.get_all()[0])
    return bool(get_this_host_ref(session) == master)


def find_my_pbd(session: Any, host_ref: str, sr_ref: str) -> Optional[str]:
    """The PBD between a host and an SR, or None (also when XAPI cannot be asked)."""
    try:
        for ref, record in session.xenapi.PBD.get_all_records().items():
            if record["host"] == host_ref and record["SR"] == sr_ref:
                return str(ref)
    except Exception as error:
        SMlog("Caught exception while looking up PBD for host %s SR %s: %s" % (host_ref, sr_ref, error))
    return None


def attached_as(sm_config: Dict[str, str]) -> Optional[str]:
    """RW or RO as in the first tag of a host; None without tags."""
    for key, value in sm_config.items():
        if key.startswith("host_") and value in ("RW", "RO"):
            return value
    return None


def default(self: Any, field: str, thunk: Callable[[], Any]) -> Any:
    """An attribute, or what thunk makes when it was never set."""
    try:
        return getattr(self, field)
    except AttributeError:
        return thunk()


def list_VDI_records_in_sr(sr: Any) -> Dict[str, Any]:
    """All VDI records that XAPI has for an SR."""
    sr_ref = sr.session.xenapi.SR.get_by_uuid(sr.uuid)
    return dict(sr.session.xenapi.VDI.get_all_records_where('field "SR" = "%s"' % sr_ref))


def set_dirty(session: Any, sr: str) -> None:
    """Ask XAPI for a scan; silent when that is already asked for."""
    try:
        session.xenapi.SR.add_to_other_config(sr, "dirty", "")
    except Exception:
        SMlog("set_dirty %r failed (flag already set?)" % (sr,))


def isInvalidVDI(exception: Any) -> bool:
    """Whether a XAPI failure says that an object does not exist."""
    return exception.details[0] in ("HANDLE_INVALID", "UUID_INVALID")


def read_caching_is_restricted(session: Any) -> bool:
    """Whether the licence forbids read caching; also without XAPI."""
    if session is None:
        return True
    restrictions = list(session.xenapi.pool.get_all_records().values())[0]["restrictions"]
    return bool(restrictions.get("restrict_read_caching") == "true")


def hidePasswdInParams(params: Dict[str, Any], configProp: str) -> Dict[str, Any]:
    """Mask passwords in params[configProp]: *params itself is changed* and returned."""
    hidden = [key for key in PASSWD_PROP_KEYS if key in params[configProp]]
    if hidden:
        params[configProp] = copy.deepcopy(params[configProp])
        params[configProp].update((key, "******") for key in hidden)
    return params


def isLegalXMLString(s: str) -> bool:
    """Whether XAPI's XML can carry the text: no control (CR among them) or non-characters."""
    return _ILLEGAL_XML.search(s) is None


def _illegal_xml() -> Any:
    """Control characters but tab, LF and NEL, surrogates, and the code points that are no characters."""
    ranges = [(0x00, 0x08), (0x0B, 0x1F), (0x7F, 0x84), (0x86, 0x9F), (0xD800, 0xDFFF), (0xFDD0, 0xFDDF)]
    ranges += [(plane * 0x10000 + 0xFFFE, plane * 0x10000 + 0xFFFF) for plane in range(17)]
    return re.compile("[%s]" % "".join("%s-%s" % (chr(low), chr(high)) for low, high in ranges))


_ILLEGAL_XML = _illegal_xml()


def splitXmlText(xmlData: Any, segmentLen: int = DEFAULT_SEGMENT_LEN, showContd: bool = False) -> str:
    """Text in pieces that fit a log line, cut after a tag where possible."""
    rest = str(xmlData).replace("\n", "").replace("\t", "")
    pieces = []
    while len(rest) > segmentLen:
        cut = rest.rfind(">", 0, segmentLen) + 1 or segmentLen
        pieces.append(rest[:cut])
        rest = rest[cut:]
    return "\n".join(pieces + [rest])


def _inventory(key: str) -> Optional[str]:
    with open(_INVENTORY, encoding="utf-8") as lines:
        values = [line.split("'")[1] for line in lines if line.startswith(key)]
    return values[-1] if values else None
