"""What forbids an operation on the connection of a disk to a VM."""

from typing import Any

from lab.xapi.database import Database
from lab.xapi.failure import Failure
from lab.xapi.operations import busy, rules

PLUGGING = ("plug", "unplug", "unplug_force")
PAUSING = ("pause", "unpause")
USING = ("attach", "plug", "insert")
STOPPING = ("clean_shutdown", "hard_shutdown", "suspend", "pause")


@rules("VBD", "attach eject unplug unplug_force insert plug pause unpause")
def vbd_forbidden(db: Database, vbd: str, operation: str) -> Failure | None:
    """Another operation, the VM's state, the kind of device, and who else uses the disk."""
    record = db.get("VBD", vbd)
    vm = db.get("VM", record["VM"])
    return (
        _other_operation(vbd, record, operation)
        or _by_kind(vbd, record, operation)
        or _by_power_state(vbd, record, vm, operation)
        or _by_guest(db, record, vm, operation)
        or _by_disk(db, vbd, record, vm, operation)
    )


def _other_operation(vbd: str, record: dict[str, Any], operation: str) -> Failure | None:
    current = record["current_operations"]
    if operation in PAUSING:
        current = {key: op for key, op in current.items() if op not in PAUSING}
        if operation == "unpause":
            current = {key: op for key, op in current.items() if op != "attach"}
    return busy("VBD", vbd, current) if current else None


def _by_kind(vbd: str, record: dict[str, Any], operation: str) -> Failure | None:
    if operation in ("unplug", "unplug_force") and not record["unpluggable"]:
        return Failure("VBD_NOT_UNPLUGGABLE", vbd)
    if operation in ("insert", "eject") and record["type"] != "CD":
        return Failure("VBD_NOT_REMOVABLE_MEDIA", vbd)
    if operation == "eject" and record["empty"]:
        return Failure("VBD_IS_EMPTY", vbd)
    if operation == "insert" and not record["empty"]:
        return Failure("VBD_NOT_EMPTY", vbd)
    return None


def _by_power_state(vbd: str, record: dict[str, Any], vm: dict[str, Any], operation: str) -> Failure | None:
    state = vm["power_state"]
    if state == "Running":
        if operation == "plug" and record["currently_attached"]:
            return Failure("DEVICE_ALREADY_ATTACHED", vbd)
        if operation in ("unplug", "unplug_force") and not record["currently_attached"]:
            return Failure("DEVICE_ALREADY_DETACHED", vbd)
    elif operation in PLUGGING or (operation in PAUSING and state != "Paused"):
        return Failure("VM_BAD_POWER_STATE", record["VM"], "running", state.lower())
    stopping = [op for op in vm["current_operations"].values() if op in STOPPING]
    if stopping and operation in ("plug", "unplug"):
        text = f"Current operation on VM:{record['VM']} is {stopping[0]}"
        return Failure("OPERATION_NOT_ALLOWED", text)
    return None


def is_hvm(vm: dict[str, Any]) -> bool:
    """Whether a VM is a fully virtualised guest, which needs drivers to take part in anything."""
    if vm["domain_type"] in ("pv", "pvh", "pv_in_pvh"):
        return False
    return vm["domain_type"] == "hvm" or bool(vm["HVM_boot_policy"])


def has_guest_drivers(db: Database, vm: dict[str, Any]) -> bool:
    """Whether the guest reports its drivers."""
    metrics = vm["guest_metrics"]
    return db.exists("VM_guest_metrics", metrics) and bool(db.field("VM_guest_metrics", metrics, "PV_drivers_detected"))


def _by_guest(db: Database, record: dict[str, Any], vm: dict[str, Any], operation: str) -> Failure | None:
    if operation not in PLUGGING or vm["power_state"] != "Running" or not is_hvm(vm):
        return None
    if not has_guest_drivers(db, vm):
        return Failure("VM_MISSING_PV_DRIVERS", record["VM"])
    if record["type"] == "CD":
        text = "HVM CDROMs cannot be hotplugged/unplugged, only inserted or ejected"
        return Failure("OPERATION_NOT_ALLOWED", text)
    return None


def _by_disk(db: Database, vbd: str, record: dict[str, Any], vm: dict[str, Any], operation: str) -> Failure | None:
    if record["empty"]:
        return None
    disk = db.get("VDI", record["VDI"])
    if not disk["managed"]:
        return Failure("VDI_NOT_MANAGED", vbd)
    if operation not in USING:
        return None
    others = {key: op for key, op in disk["current_operations"].items() if op not in ("mirror", "copy")}
    if others:
        return busy("VDI", record["VDI"], others)
    if record["currently_attached"]:
        return None
    return _by_sharing(db, vbd, record, disk, vm)


def _by_sharing(
    db: Database, vbd: str, record: dict[str, Any], disk: dict[str, Any], vm: dict[str, Any]
) -> Failure | None:
    """One writer, or any number of readers, unless the disk is meant to be shared; dom0 is exempt."""
    users = [
        other
        for ref, other in db.where("VBD", VDI=record["VDI"]).items()
        if ref != vbd and (other["currently_attached"] or other["current_operations"])
    ]
    users = [other for other in users if not _harmless(db, other)]
    writes = record["mode"] == "RW"
    exempt = disk["sharable"] or is_system_domain(vm)
    if not exempt and (any(user["mode"] == "RW" for user in users) or (writes and users)):
        return Failure("VDI_IN_USE", record["VDI"])
    if writes and disk["read_only"]:
        return Failure("VDI_READONLY", record["VDI"])
    return None


def _harmless(db: Database, vbd: dict[str, Any]) -> bool:
    vm = db.get("VM", vbd["VM"])
    return vm["power_state"] == "Suspended" or is_system_domain(vm)


def is_system_domain(vm: dict[str, Any]) -> bool:
    """Whether a VM is part of the host's own machinery."""
    return bool(vm["is_control_domain"]) or vm["other_config"].get("is_system_domain") == "true"
