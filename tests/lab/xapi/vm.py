"""VMs: their records, and where one may start."""

import uuid as uuids
from typing import Any

from lab.xapi.context import Context
from lab.xapi.failure import Failure
from lab.xapi.operations import Mark, marked, refresh
from lab.xapi.registry import call
from lab.xapi.values import EPOCH, NULL


@call("VM.create")
def create(ctx: Context, record: dict[str, Any]) -> str:
    """Make a VM; it is halted."""
    metrics = ctx.db.create("VM_metrics", last_updated=EPOCH, start_time=EPOCH, install_time=EPOCH)
    fields = {**record, "power_state": "Halted", "metrics": metrics, "domid": -1, "resident_on": NULL}
    fields["other_config"] = {"mac_seed": str(uuids.uuid4()), **record["other_config"]}
    if record.get("domain_type", "unspecified") == "unspecified":
        fields["domain_type"] = "hvm" if record["HVM_boot_policy"] else "pv"
    vm = ctx.db.create("VM", **fields)
    refresh(ctx.db, "VM", vm)
    return vm


@call("VM.destroy")
def destroy(ctx: Context, vm: str) -> None:
    """Remove a VM's records; its disks stay."""
    with marked(ctx, Mark("VM", vm, "destroy")):
        record = ctx.db.get("VM", vm)
        for cls, field in (("VBD", "VBDs"), ("VIF", "VIFs"), ("console", "consoles"), ("VTPM", "VTPMs")):
            for ref in record[field]:
                ctx.db.delete(cls, ref)
        ctx.db.delete("VM", vm)
        for cls, field in (("VM_metrics", "metrics"), ("VM_guest_metrics", "guest_metrics")):
            if ctx.db.exists(cls, record[field]):
                ctx.db.delete(cls, record[field])


@call("VM.update_allowed_operations")
def update_allowed_operations(ctx: Context, vm: str) -> None:
    """Bring allowed_operations up to date."""
    refresh(ctx.db, "VM", vm)


@call("VM.add_to_blocked_operations")
def add_to_blocked_operations(ctx: Context, vm: str, key: str, value: str) -> None:
    """Block an operation, with the reason that whoever tries it is told."""
    if key in ctx.db.field("VM", vm, "blocked_operations"):
        raise Failure("MAP_DUPLICATE_KEY", "VM", "blocked_operations", vm, key)
    _block(ctx, vm, {**ctx.db.field("VM", vm, "blocked_operations"), key: value})


@call("VM.remove_from_blocked_operations")
def remove_from_blocked_operations(ctx: Context, vm: str, key: str) -> None:
    """Allow an operation again."""
    old = ctx.db.field("VM", vm, "blocked_operations")
    _block(ctx, vm, {name: text for name, text in old.items() if name != key})


@call("VM.set_blocked_operations")
def set_blocked_operations(ctx: Context, vm: str, value: dict[str, str]) -> None:
    """Block these operations and no others."""
    _block(ctx, vm, value)


def _block(ctx: Context, vm: str, value: dict[str, str]) -> None:
    ctx.db.set("VM", vm, blocked_operations=value)
    refresh(ctx.db, "VM", vm)


@call("VM.set_is_a_template")
def set_is_a_template(ctx: Context, vm: str, value: bool) -> None:
    """Make a template of a VM, or a VM of a template."""
    ctx.db.set("VM", vm, is_a_template=value)
    refresh(ctx.db, "VM", vm)


@call("VM.set_memory_limits")
def set_memory_limits(
    ctx: Context, vm: str, static_min: int, static_max: int, dynamic_min: int, dynamic_max: int
) -> None:
    """Set all limits; they must be in order."""
    if not static_min <= dynamic_min <= dynamic_max <= static_max:
        text = "Memory limits must satisfy: static_min <= dynamic_min <= dynamic_max <= static_max"
        raise Failure("MEMORY_CONSTRAINT_VIOLATION", text)
    ctx.db.set(
        "VM",
        vm,
        memory_static_min=static_min,
        memory_static_max=static_max,
        memory_dynamic_min=dynamic_min,
        memory_dynamic_max=dynamic_max,
        memory_target=dynamic_max,
    )


@call("VM.set_memory")
def set_memory(ctx: Context, vm: str, value: int) -> None:
    """Set every limit but the lowest to one value."""
    set_memory_limits(ctx, vm, min(value, ctx.db.field("VM", vm, "memory_static_min")), value, value, value)


@call("VM.assert_can_boot_here")
def assert_can_boot_here(ctx: Context, vm: str, host: str) -> None:
    """Whether a host is up, takes VMs and sees all storage of the VM."""
    if not ctx.db.field("host_metrics", ctx.db.field("host", host, "metrics"), "live"):
        raise Failure("HOST_OFFLINE", host)
    if not ctx.db.field("host", host, "enabled"):
        raise Failure("HOST_DISABLED", host)
    for vbd in ctx.db.where("VBD", VM=vm, empty=False).values():
        sr = ctx.db.field("VDI", vbd["VDI"], "SR")
        if not ctx.db.where("PBD", SR=sr, host=host, currently_attached=True):
            raise Failure("VM_REQUIRES_SR", vm, sr)


@call("VM.get_possible_hosts")
def get_possible_hosts(ctx: Context, vm: str) -> list[str]:
    """The hosts on which a VM may start."""
    return [host for host in ctx.db.refs("host") if _fits(ctx, vm, host)]


def _fits(ctx: Context, vm: str, host: str) -> bool:
    try:
        assert_can_boot_here(ctx, vm, host)
    except Failure:
        return False
    return True


def choose_host(ctx: Context, vm: str) -> str:
    """Where to start a VM: its affinity, else the host with the fewest VMs. Raises why there is none."""
    hosts = ctx.db.refs("host")
    if len(hosts) == 1:
        assert_can_boot_here(ctx, vm, hosts[0])
        return hosts[0]
    possible = get_possible_hosts(ctx, vm)
    if not possible:
        raise Failure("NO_HOSTS_AVAILABLE")
    affinity: str = ctx.db.field("VM", vm, "affinity")
    if affinity in possible:
        return affinity
    return min(possible, key=lambda host: len(ctx.db.field("host", host, "resident_VMs")))
