"""The parts of SM that CephSR uses, by the names they have on this host, and our errors in SM's numbers.

XCP-ng 8.3 keeps SM's modules flat in /opt/xensource/sm; from 9 on they are a package.
"""

import functools
import os
import sys
from typing import Any, Callable, Dict, Tuple, Type, TypeVar, cast

from cephhci import errors

try:
    from sm import SR, VDI, SRCommand, blktap2
    from sm.core import lock, util, xs_errors
except ImportError:
    import blktap2
    import lock
    import SR
    import SRCommand
    import util
    import VDI
    import xs_errors

__all__ = ["SR", "VDI", "blktap2", "lock", "run", "speaks_sm", "util", "xs_errors"]

# Keys of XE_SR_ERRORCODES.xml; the first class that matches counts.
KEYS: Tuple[Tuple[Type[errors.Error], str], ...] = (
    (errors.MissingArgument, "ConfigParamsMissing"),
    (errors.InvalidArgument, "InvalidArg"),
    (errors.PoolMissing, "ConfigDeviceInvalid"),
    (errors.SrExists, "SRExists"),
    (errors.SrNotEmpty, "SRNotEmpty"),
    (errors.SizeInvalid, "VDISize"),
    (errors.NoSpace, "SRNoSpace"),
    (errors.DiskMissing, "VDIMissing"),
    (errors.ImageMissing, "VDIMissing"),
    # XAPI drops our sentence from fault 24; who may not open a disk must read who holds it.
    (errors.DiskHeld, "VDIUnavailable"),
    (errors.DiskInUse, "VDIInUse"),
    (errors.DiskExists, "VDIExists"),
    (errors.DiskUnfinished, "VDIUnavailable"),
    (errors.DiskIsSnapshot, "VDIUnavailable"),
    (errors.DiskNotPaused, "VDISnapshot"),
    (errors.TooManySnapshots, "VDISnapshot"),
    (errors.ChangesUnknown, "CBTChangedBlocksError"),
    (errors.MappingFailed, "VDIUnavailable"),
    (errors.SrMissing, "SRUnavailable"),
    (errors.ClusterUnreachable, "SRUnavailable"),
    (errors.AccessDenied, "SRUnavailable"),
    (errors.Fenced, "SRUnavailable"),
    (errors.IndexDamaged, "SRScan"),
    (errors.SchemaUnknown, "SRUnavailable"),
    (errors.Error, "SMGeneral"),
)

Method = TypeVar("Method", bound=Callable[..., Any])


def speaks_sm(method: Method) -> Method:
    """Turn our errors into SM's, so that the administrator reads the number he knows and our sentence."""

    @functools.wraps(method)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        try:
            return method(*args, **kwargs)
        except errors.Error as error:
            key = next(key for kind, key in KEYS if isinstance(error, kind))
            raise xs_errors.XenError(key, opterr="%s: %s" % (error.code, error.sentence)) from error

    return cast(Method, wrapper)


def run(driver: Any, driver_info: Dict[str, Any]) -> None:
    """Run the command that XAPI gave this process, and end the process."""
    try:
        SRCommand.run(driver, driver_info)
    except SystemExit as end:
        if end.code:
            raise
        # XAPI waits for the end of the process, and Python's own tidying up is a sixth of a vdi_create. Nothing is
        # left for it: the connection is closed, and the drivers of no SM tree register anything with atexit.
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(0)
