#!/usr/bin/python3
"""Clear the marks of attached disks that a crash left in sm_config."""

import sys
from typing import Any, List

import cleanup
import lock
import util
import XenAPI


def reset_sr(session: Any, host_uuid: Any, sr_uuid: str, is_sr_master: bool) -> None:
    """Remove this host's tags from all disks of an SR, on the master also ``paused``."""
    cleanup.abort(sr_uuid)
    gc_lock: Any = lock.Lock(lock.LOCK_TYPE_GC_RUNNING, sr_uuid)
    sr_lock: Any = lock.Lock("sr", sr_uuid)
    gc_lock.acquire()
    sr_lock.acquire()
    xapi = session.xenapi
    sr_ref = xapi.SR.get_by_uuid(sr_uuid)
    host_key = "host_%s" % xapi.host.get_by_uuid(host_uuid)
    util.SMlog("RESET for SR %s (master: %s)" % (sr_uuid, is_sr_master))
    for vdi_ref, row in xapi.VDI.get_all_records_where('field "SR" = "%s"' % sr_ref).items():
        if row["sm_config"].get(host_key):
            util.SMlog("Clearing attached status for VDI %s" % row["uuid"])
            xapi.VDI.remove_from_sm_config(vdi_ref, host_key)
        if is_sr_master and row["sm_config"].get("paused"):
            util.SMlog("Clearing paused status for VDI %s" % row["uuid"])
            xapi.VDI.remove_from_sm_config(vdi_ref, "paused")
    sr_lock.release()
    gc_lock.release()


def reset_vdi(session: Any, vdi_uuid: str, force: bool, term_output: bool = True,
              writable: bool = True) -> bool:
    """Remove the tags of hosts that do not have the disk open; False if one has.

    Hosts that XAPI does not know any more lose their tag, all do with ``force``; every other host is asked by
    its plugin on-slave, and an exception of that call goes through.
    """
    xapi = session.xenapi
    vdi_ref = xapi.VDI.get_by_uuid(vdi_uuid)
    row = xapi.VDI.get_record(vdi_ref)
    tags = [key for key in row["sm_config"] if key.startswith("host_")]
    clean = True
    for key in tags:
        host_ref = key[len("host_"):]
        if not _known(xapi, host_ref) or force:
            xapi.VDI.remove_from_sm_config(vdi_ref, key)
            _say("Force-cleared %s of %s" % (key, vdi_uuid), term_output)
            continue
        args = {"vdiUuid": vdi_uuid, "srRef": row["SR"]}
        answer = xapi.host.call_plugin(host_ref, "on-slave", "is_open", args)
        if answer == "False":
            xapi.VDI.remove_from_sm_config(vdi_ref, key)
            _say("Cleared %s of %s" % (key, vdi_uuid), term_output)
            continue
        _say("ERROR: VDI %s is still open on host %s" % (vdi_uuid, host_ref), term_output)
        if writable:
            return False
        clean = False
    if not tags:
        _say("VDI %s is not marked as attached anywhere, nothing to do" % vdi_uuid, term_output)
    return clean


def _known(xapi: Any, host_ref: str) -> bool:
    try:
        xapi.host.get_record(host_ref)
    except XenAPI.Failure as failure:
        util.SMlog("Invalid host: %s (%s)" % (host_ref, failure))
        return False
    return True


def _say(text: str, term_output: bool) -> None:
    util.SMlog(text)
    if term_output:
        print(text)


def _main(argv: List[str]) -> None:
    """``single VDI [--force]`` and ``all HOST SR [--master]``."""
    if len(argv) not in (2, 3, 4) or argv[0] not in ("single", "all"):
        sys.exit("usage: resetvdis.py single VDI_UUID [--force] | all HOST_UUID SR_UUID [--master]")
    session = util.get_localAPI_session()
    try:
        if argv[0] == "single":
            reset_vdi(session, argv[1], argv[2:] == ["--force"])
        else:
            reset_sr(session, argv[1], argv[2], argv[3:] == ["--master"])
    finally:
        session.xenapi.session.logout()


if __name__ == "__main__":
    _main(sys.argv[1:])
