"""What forbids an operation on a VM."""

from typing import Any

from lab.xapi.database import Database
from lab.xapi.failure import Failure
from lab.xapi.operations import BUSY, rules
from lab.xapi.vbd_rules import has_guest_drivers, is_hvm

HALTED = "start start_on provision make_into_template changing_NVRAM changing_shadow_memory create_vtpm".split()
RUNNING = """clean_reboot clean_shutdown pause suspend pool_migrate call_plugin changing_VCPUs_live
    changing_memory_live sysprep data_source_op""".split()
STATES: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(HALTED, ("Halted",)),
    **dict.fromkeys(RUNNING, ("Running",)),
    "unpause": ("Paused",),
    "resume": ("Suspended",),
    "resume_on": ("Suspended",),
    "clone": ("Halted",),
    "copy": ("Halted",),
    "destroy": ("Halted", "Suspended"),
    "export": ("Halted", "Suspended"),
    "hard_reboot": ("Paused", "Running"),
    "hard_shutdown": ("Paused", "Suspended", "Running"),
    "shutdown": ("Paused", "Suspended", "Running"),
    "checkpoint": ("Paused", "Suspended", "Running"),
    "migrate_send": ("Halted", "Suspended", "Running"),
    "changing_dynamic_range": ("Halted", "Running"),
    "changing_VCPUs": ("Halted",),
    "changing_memory_limits": ("Halted",),
}
FOR_TEMPLATES = """changing_dynamic_range changing_static_range changing_memory_limits changing_shadow_memory
    changing_VCPUs changing_NVRAM clone copy export metadata_export provision destroy migrate_send""".split()
FOR_SNAPSHOTS = "revert clone copy export destroy hard_shutdown metadata_export".split()
BESIDE_COPIES = ("clone", "copy", "export")
# Operations in which the guest takes part, and what it must have announced for them: any of these.
NEED_GUEST = {
    "clean_shutdown": ("feature-shutdown", "feature-poweroff"),
    "clean_reboot": ("feature-shutdown", "feature-reboot"),
    "suspend": ("feature-suspend",),
    "checkpoint": ("feature-suspend",),
    "pool_migrate": ("feature-suspend",),
    "migrate_send": ("feature-suspend",),
    "changing_VCPUs_live": ("feature-vcpu-hotplug",),
}
FOR_DOM0 = ("changing_dynamic_range", "changing_static_range", "metadata_export")


@rules(
    "VM",
    """snapshot clone copy revert checkpoint sysprep provision start start_on pause unpause
    clean_shutdown clean_reboot hard_shutdown hard_reboot suspend resume resume_on pool_migrate migrate_send
    changing_dynamic_range changing_static_range changing_shadow_memory changing_VCPUs_live changing_NVRAM
    make_into_template export metadata_export destroy create_vtpm""",
)
def vm_forbidden(db: Database, vm: str, operation: str) -> Failure | None:
    """What the administrator has blocked, the power state, other operations, and what a template cannot do."""
    record = db.get("VM", vm)
    if operation in record["blocked_operations"]:
        return Failure("OPERATION_BLOCKED", vm, record["blocked_operations"][operation])
    state = record["power_state"]
    expected = STATES.get(operation, (state,))
    if operation == "changing_static_range":
        expected = ("Halted", "Running") if record["is_control_domain"] else ("Halted",)
    if state not in expected:
        return Failure("VM_BAD_POWER_STATE", vm, ", ".join(expected).lower(), state.lower())
    current = record["current_operations"]
    if current and not _beside(operation, list(current.values())):
        keys, names = list(current), list(current.values())
        if len(keys) > 1:
            keys, names = ["{%s}" % ",".join(keys)], ["{%s}" % ",".join(names)]
        return Failure(BUSY, "VM", vm, names[0], keys[0])
    return _by_kind(vm, record, operation) or _by_guest(db, vm, record, operation)


def _beside(operation: str, current: list[str]) -> bool:
    """Whether an operation may start while others run."""
    if operation == "hard_shutdown":
        return operation not in current
    if operation == "hard_reboot":
        return not {"hard_shutdown", "hard_reboot"} & set(current)
    if operation in BESIDE_COPIES:
        return all(other in BESIDE_COPIES for other in current)
    if operation in ("snapshot", "checkpoint"):
        return all(other in ("snapshot", "checkpoint") for other in current)
    return False


def _by_kind(vm: str, record: dict[str, Any], operation: str) -> Failure | None:
    if record["is_a_snapshot"]:
        if operation not in FOR_SNAPSHOTS:
            return Failure("VM_IS_SNAPSHOT", vm, operation)
    elif record["is_a_template"] and operation not in FOR_TEMPLATES:
        return Failure("VM_IS_TEMPLATE", vm, operation)
    if operation == "provision" and not record["is_a_template"]:
        return Failure("ONLY_PROVISION_TEMPLATE")
    if operation == "revert" and not record["is_a_snapshot"]:
        return Failure("ONLY_REVERT_SNAPSHOT")
    if record["is_control_domain"] and operation not in FOR_DOM0:
        return Failure("OPERATION_NOT_ALLOWED", "This operation is not allowed on dom0")
    return None


def _by_guest(db: Database, vm: str, record: dict[str, Any], operation: str) -> Failure | None:
    """A running, fully virtualised guest must have said that it can take part."""
    features = NEED_GUEST.get(operation)
    if features is None or record["power_state"] != "Running":
        return None
    if not is_hvm(record) or has_guest_drivers(db, record):
        return None
    metrics = record["guest_metrics"]
    known = db.field("VM_guest_metrics", metrics, "other") if db.exists("VM_guest_metrics", metrics) else {}
    if any(known.get(feature) == "1" for feature in features):
        return None
    return Failure("VM_LACKS_FEATURE", vm)
