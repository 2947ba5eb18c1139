"""Connections of disks to VMs."""

import threading
from typing import Any

from lab.xapi import datapath
from lab.xapi.context import Context
from lab.xapi.failure import Failure
from lab.xapi.operations import Mark, marked, refresh, require
from lab.xapi.registry import call
from lab.xapi.values import EPOCH, NULL

DEVICES = 255
ATTACHABLE = "system user ephemeral suspend crashdump metadata rrd pvs_cache".split()
BACKEND_KIND = "backend-kind"  # a driver may set it in a disk's sm_config

_choosing = threading.Lock()


def number_of(device: str) -> int | None:
    """The position of a device that is given as a number or a name such as xvdb; None for no device name."""
    if device.isdecimal():
        return int(device)
    letters = next((device[len(p) :] for p in ("xvd", "hd", "sd") if device.startswith(p)), "")
    if not letters.isalpha() or not letters.islower():
        return None
    number = 0
    for letter in letters:
        number = number * 26 + ord(letter) - ord("a") + 1
    return number - 1


def name_of(number: int) -> str:
    """The name of the device at a position."""
    letters = ""
    number += 1
    while number:
        number, rest = divmod(number - 1, 26)
        letters = chr(ord("a") + rest) + letters
    return "xvd" + letters


def free_devices(ctx: Context, vm: str) -> list[str]:
    """The positions that no connection of the VM has taken."""
    taken = {number_of(vbd["userdevice"]) for vbd in ctx.db.where("VBD", VM=vm).values()}
    return [str(number) for number in range(DEVICES) if number not in taken]


@call("VM.get_allowed_VBD_devices")
def get_allowed_vbd_devices(ctx: Context, vm: str) -> list[str]:
    """The positions at which a disk can be connected."""
    ctx.db.get("VM", vm)
    return free_devices(ctx, vm)


@call("VBD.create")
def create(ctx: Context, record: dict[str, Any]) -> str:
    """Make a connection; it is not plugged."""
    vm, vdi = record["VM"], record["VDI"]
    ctx.db.get("VM", vm)
    _require_fitting(ctx, record)
    with _choosing:
        device = _device(ctx, vm, record["userdevice"])
        metrics = ctx.db.create("VBD_metrics", last_updated=EPOCH)
        other = dict(record["other_config"])
        if not record["empty"] and BACKEND_KIND in ctx.db.field("VDI", vdi, "sm_config"):
            other[BACKEND_KIND] = ctx.db.field("VDI", vdi, "sm_config")[BACKEND_KIND]
        fields = {**record, "userdevice": device, "metrics": metrics, "other_config": other}
        if ctx.db.field("VM", vm, "power_state") != "Suspended":
            fields.update(device="", currently_attached=False)
        vbd = ctx.db.create("VBD", **fields)
    _refresh(ctx, vbd)
    return vbd


def _require_fitting(ctx: Context, record: dict[str, Any]) -> None:
    if not record["empty"]:
        disk = ctx.db.get("VDI", record["VDI"])
        if disk["type"] not in ATTACHABLE:
            raise Failure("VDI_INCOMPATIBLE_TYPE", record["VDI"], disk["type"])
    if record["type"] == "CD" and record["mode"] != "RO":
        raise Failure("VBD_CDS_MUST_BE_READONLY")
    if record["type"] != "CD" and record["empty"]:
        raise Failure("VBD_NOT_REMOVABLE_MEDIA", "in constructor")
    if record["mode"] == "RW" and ctx.db.field("VDI", record["VDI"], "read_only"):
        raise Failure("VDI_READONLY", record["VDI"])


def _device(ctx: Context, vm: str, wanted: str) -> str:
    free = free_devices(ctx, vm)
    if wanted == "autodetect":
        if not free:
            raise Failure("INVALID_DEVICE", wanted)
        return free[0]
    number = number_of(wanted)
    if number is None:
        raise Failure("INVALID_DEVICE", wanted)
    if str(number) not in free:
        raise Failure("DEVICE_ALREADY_EXISTS", wanted)
    return wanted


@call("VBD.destroy")
def destroy(ctx: Context, vbd: str) -> None:
    """Remove a connection that is not plugged."""
    record = ctx.db.get("VBD", vbd)
    if record["currently_attached"] and ctx.db.field("VM", record["VM"], "power_state") != "Halted":
        raise Failure("OPERATION_NOT_ALLOWED", f"VBD '{record['uuid']}' still attached to '{_name(ctx, record)}'")
    ctx.db.delete("VBD", vbd)
    if ctx.db.exists("VBD_metrics", record["metrics"]):
        ctx.db.delete("VBD_metrics", record["metrics"])
    if ctx.db.exists("VDI", record["VDI"]):
        refresh(ctx.db, "VDI", record["VDI"])


def _name(ctx: Context, record: dict[str, Any]) -> str:
    return str(ctx.db.field("VM", record["VM"], "uuid"))


@call("VBD.plug")
def plug(ctx: Context, vbd: str) -> None:
    """Attach the disk on the VM's host. In a control domain the device is the driver's own path."""
    with marked(ctx, Mark("VBD", vbd, "plug")):
        record = ctx.db.get("VBD", vbd)
        connect(ctx, vbd, ctx.db.field("VM", record["VM"], "resident_on"))
    _refresh(ctx, vbd)


def connect(ctx: Context, vbd: str, host: str) -> None:
    """Attach the disk of a connection on a host and note the device."""
    record = ctx.db.get("VBD", vbd)
    if record["empty"]:
        ctx.db.set("VBD", vbd, currently_attached=True, device=_guest_device(record))
        return
    info = datapath.attach(ctx, record["VDI"], host, vbd, record["mode"] == "RW")
    device = _guest_device(record)
    if ctx.db.field("VM", record["VM"], "is_control_domain"):
        device = str(info["params"] or info["params_nbd"]).removeprefix("/dev/")
    ctx.db.set("VBD", vbd, currently_attached=True, device=device)


def _guest_device(record: dict[str, Any]) -> str:
    return name_of(number_of(record["userdevice"]) or 0)


@call("VBD.unplug")
def unplug(ctx: Context, vbd: str) -> None:
    """Let the disk go."""
    with marked(ctx, Mark("VBD", vbd, "unplug")):
        disconnect(ctx, vbd, _host(ctx, vbd))
    _refresh(ctx, vbd)


@call("VBD.unplug_force", "VBD.unplug_force_no_safety_check")
def unplug_force(ctx: Context, vbd: str) -> None:
    """Let the disk go without asking the guest; there is none here that could refuse."""
    with marked(ctx, Mark("VBD", vbd, "unplug_force")):
        disconnect(ctx, vbd, _host(ctx, vbd))
    _refresh(ctx, vbd)


def _host(ctx: Context, vbd: str) -> str:
    return str(ctx.db.field("VM", ctx.db.field("VBD", vbd, "VM"), "resident_on"))


def disconnect(ctx: Context, vbd: str, host: str) -> None:
    """Detach the disk of a connection on a host; on an error the connection stays attached."""
    record = ctx.db.get("VBD", vbd)
    if not record["empty"] and record["VDI"] != NULL:
        datapath.detach(ctx, record["VDI"], host, vbd)
    ctx.db.set("VBD", vbd, currently_attached=False)


def _refresh(ctx: Context, vbd: str) -> None:
    refresh(ctx.db, "VBD", vbd)
    vdi = ctx.db.field("VBD", vbd, "VDI")
    if ctx.db.exists("VDI", vdi):
        refresh(ctx.db, "VDI", vdi)


@call("VBD.assert_attachable")
def assert_attachable(ctx: Context, vbd: str) -> None:
    """Whether the disk may be used by the VM now."""
    require(ctx.db, "VBD", vbd, "attach")


@call("VBD.set_mode")
def set_mode(ctx: Context, vbd: str, value: str) -> None:
    """Only while the VM is halted."""
    vm = ctx.db.field("VBD", vbd, "VM")
    state = ctx.db.field("VM", vm, "power_state")
    if state != "Halted":
        raise Failure("VM_BAD_POWER_STATE", vm, "halted", state.lower())
    ctx.db.set("VBD", vbd, mode=value)
