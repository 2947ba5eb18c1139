"""The driver as xapi starts it: the same executable, argument, environment and folder."""

import uuid
from typing import Any

from benchmarks.measure import Spent, spent_on
from benchmarks.site import Site
from lab.xapi import sm_exec
from lab.xapi.values import EPOCH

PATH = "/opt/xensource/sm/CephSR"
Command = tuple[str, dict[str, Any]]  # and its parameters


class Driver:
    """Executes the driver of the SR and takes the time from before its start to after its end."""

    def __init__(self, site: Site) -> None:
        self._site = site

    def scan(self) -> Spent:
        """What one sr_scan takes."""
        return self._timed(self._scan())[0]

    def create(self, size: int, label: str) -> tuple[Spent, str]:
        """What one vdi_create takes, and the new disk's uuid."""
        spent, reply = self._timed(self._create(size, label))
        return spent, str(reply["uuid"])

    def delete(self, disk: str) -> Spent:
        """What one vdi_delete takes."""
        return self._timed(self._delete(disk))[0]

    def scan_argument(self) -> str:
        """What xapi gives the driver for ``scan``; the others likewise."""
        return _argument(self._scan())

    def create_argument(self, size: int, label: str) -> str:
        return _argument(self._create(size, label))

    def delete_argument(self, disk: str) -> str:
        return _argument(self._delete(disk))

    def nothing(self) -> Spent:
        """What one sr_get_driver_info takes: the interpreter, and all imports of the driver."""
        return spent_on(lambda: sm_exec.execute(PATH, "sr_get_driver_info", {}))

    def _scan(self) -> Command:
        return "sr_scan", self._params("SR.scan")

    def _create(self, size: int, label: str) -> Command:
        args = [str(size), label, "", "", "false", str(EPOCH), "", "false"]
        return "vdi_create", self._params("VDI.create", args=args, vdi_type="user", vdi_sm_config={})

    def _delete(self, disk: str) -> Command:
        ref = self._site.api.VDI.get_by_uuid(disk)
        named = {"vdi_ref": ref, "vdi_location": disk, "vdi_uuid": disk}
        return "vdi_delete", self._params("VDI.destroy", **named, vdi_on_boot="persist", vdi_allow_caching="false")

    @staticmethod
    def _timed(command: Command) -> tuple[Spent, Any]:
        replies = []
        spent = spent_on(lambda: replies.append(sm_exec.execute(PATH, *command)))
        return spent, replies[0]

    def _params(self, label: str, **extra: Any) -> dict[str, Any]:
        site = self._site
        return {
            "host_ref": site.host_ref,
            "args": [],
            "device_config": site.device_config,
            "session_ref": site.session_ref,
            "sr_ref": site.sr_ref,
            "sr_uuid": site.sr_uuid,
            "subtask_of": "DummyRef:|%s|%s" % (uuid.uuid4(), label),
            **extra,
        }


def _argument(command: Command) -> str:
    return sm_exec.argument(*command)
