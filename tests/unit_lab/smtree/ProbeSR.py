#!/usr/bin/python3 -B
"""A driver without storage: writes down every call that SM makes to it, and fails where the test tells it to.

Its disks are the rows of /var/lib/probe/disks.json; /var/lib/probe/orders.json steers it.
"""

import json
import os

import XenAPI

try:  # upstream; a plugin of its that loads this module has no path to the flat names
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

STATE = "/var/lib/probe/"
DRIVER_INFO = {
    "name": "probe",
    "description": "probe",
    "vendor": "v",
    "copyright": "c",
    "driver_version": "1",
    "required_api_version": "1.0",
    "capabilities": ["VDI_ATTACH", "VDI_DETACH", "VDI_CREATE", "ATOMIC_PAUSE", "VDI_ACTIVATE", "VDI_DEACTIVATE"],
    "configuration": [["place", "where it is"]],
}


def load(name):
    with open(STATE + name, encoding="utf-8") as stream:
        return json.load(stream)


def called(what, srcmd, *args):
    """Note a call, and what of the parameters the driver can see during it; then fail if ordered."""
    params = srcmd.params
    seen = {key: params.get(key) for key in ("args", "session_ref", "device_config", "command", "vdi_ref")}
    with open(STATE + "calls", "a", encoding="utf-8") as stream:
        stream.write(json.dumps([what, args, seen]) + "\n")
    order = load("orders.json").get(what)
    if order == "SMException":
        raise util.SMException("ordered")
    if order == "CommandException":
        raise util.CommandException(5, "ordered command", "ordered reason")
    if order == "Failure":
        raise XenAPI.Failure(["ORDERED", "x"])
    if order == "bare":
        raise RuntimeError("ordered")
    if order == "busy":
        raise util.SRBusyException("ordered")
    if order:
        raise xs_errors.XenError(order, opterr="ordered")


class ProbeSR(SR.SR):
    @staticmethod
    def handles(type):
        return type == "probe"

    def load(self, sr_uuid):
        orders = load("orders.json")
        self.ops_exclusive = orders.get("ops_exclusive", [])
        if self.ops_exclusive:
            self.lock = lock.Lock("sr", self.uuid)
        self.sr_vditype = "probe"
        called("sr.load", self.srcmd, self.cmd)

    def create(self, uuid, size):
        called("sr.create", self.srcmd, size)

    def delete(self, uuid):
        called("sr.delete", self.srcmd)

    def attach(self, uuid):
        called("sr.attach", self.srcmd)

    def detach(self, uuid):
        called("sr.detach", self.srcmd)

    def probe(self):
        called("sr.probe", self.srcmd)
        self.check_dconf(["place"])
        return util.SRtoXML({"11111111-1111-1111-1111-111111111111": {"size": 5}})

    def update(self, uuid):
        called("sr.update", self.srcmd)

    def scan(self, uuid):
        called("sr.scan", self.srcmd)
        self.physical_size = 1000
        for disk in load("disks.json"):
            self.vdis[disk] = self.vdi(disk)
        return SR.SR.scan(self, uuid)

    def vdi(self, uuid):
        return ProbeVDI(self, uuid)

    def cleanup(self):
        called("sr.cleanup", self.srcmd)


class ProbeVDI(VDI.VDI):
    def load(self, uuid):
        called("vdi.load", self.sr.srcmd)
        self.vdi_type = load("orders.json").get("vdi_type", "aio")
        self.path = "/run/probe/" + uuid
        row = load("disks.json").get(uuid, {})
        self.size = row.get("size", 0)
        self.utilisation = row.get("used", 0)
        for name in ("label", "read_only", "cbt_enabled", "sm_config", "sm_config_override"):
            if name in row:
                setattr(self, name, row[name])

    def create(self, sr_uuid, uuid, size):
        facts = (self.label, self.description, self.ty, self.metadata_of_pool, self.is_a_snapshot)
        called("vdi.create", self.sr.srcmd, size, facts, self.snapshot_time, self.snapshot_of, self.read_only)
        self.size = size
        self._db_introduce()
        return self.get_params()

    def delete(self, sr_uuid, uuid, **how):
        called("vdi.delete", self.sr.srcmd, sorted(how.items()))
        self._db_forget()

    def update(self, sr_uuid, uuid):
        called("vdi.update", self.sr.srcmd)

    def introduce(self, sr_uuid, uuid):
        called("vdi.introduce", self.sr.srcmd, self.sr.srcmd.params["vdi_location"])
        self._db_introduce()
        return self.get_params()

    def attach(self, sr_uuid, uuid):
        called("vdi.attach", self.sr.srcmd)
        os.makedirs("/run/probe", exist_ok=True)
        with open(self.path, "w", encoding="utf-8"):
            self.xenstore_data = {"probe": "yes"}
        return VDI.VDI.attach(self, sr_uuid, uuid)

    def detach(self, sr_uuid, uuid):
        called("vdi.detach", self.sr.srcmd)

    def activate(self, sr_uuid, uuid):
        called("vdi.activate", self.sr.srcmd)

    def deactivate(self, sr_uuid, uuid):
        called("vdi.deactivate", self.sr.srcmd)

    def snapshot(self, sr_uuid, uuid):
        called("vdi.snapshot", self.sr.srcmd)
        if load("orders.json").get("snapshot") == "base":
            return VDI.VDI.snapshot(self, sr_uuid, uuid)
        secondary = self.sr.srcmd.params["driver_params"].get("mirror")
        taps = blktap2.VDI
        if not taps.tap_pause(self.session, sr_uuid, uuid):
            raise xs_errors.XenError("VDISnapshot", opterr="no pause")
        taps.tap_unpause(self.session, sr_uuid, uuid, secondary)
        return self.get_params()

    def resize(self, sr_uuid, uuid, size):
        called("vdi.resize", self.sr.srcmd, size)
        self.size = size
        self._db_update()
        return self.get_params()

    def compose(self, sr_uuid, vdi1, vdi2):
        called("vdi.compose", self.sr.srcmd, vdi1, vdi2)

    def generate_config(self, sr_uuid, uuid):
        called("vdi.generate_config", self.sr.srcmd)
        return {"a": "struct"}  # no text: what is printed then is no reply

    def attach_from_config(self, sr_uuid, uuid):
        called("vdi.attach_from_config", self.sr.srcmd, self.session is None)
        return VDI.VDI.attach(self, sr_uuid, uuid)


if __name__ == "__main__":
    SRCommand.run(ProbeSR, DRIVER_INFO)
else:
    SR.registerSR(ProbeSR)
