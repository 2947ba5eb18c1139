"""Garbage collection of copy-on-write images: there is none here, only its locks and the names others use."""

import errno
from typing import Any

import lock
import util


class VDI:
    """Keys of sm_config and other_config that belong to the collector and to blktap2."""

    DB_VDI_PAUSED = "paused"
    DB_VDI_RELINKING = "relinking"
    DB_VDI_ACTIVATING = "activating"
    DB_LEAFCLSC = "leaf-coalesce"
    LEAFCLSC_DISABLED = "false"
    LEAFCLSC_FORCE = "force"


def abort(srUuid: str, soft: bool = False) -> bool:
    """Take and give back the collector's lock (under the SR's lock); nobody else takes it in this tree."""
    sr_lock: Any = lock.Lock("sr", srUuid)
    active: Any = lock.Lock("gc_active", srUuid)
    sr_lock.acquire()
    try:
        free = active.acquireNoblock()
    finally:
        sr_lock.release()
    if not free:
        raise util.CommandException(errno.ETIMEDOUT, reason="SR %s: error aborting existing process" % srUuid)
    active.release()
    return True
