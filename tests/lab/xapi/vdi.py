"""Disks: the calls that act on them. Every one that changes a disk runs on the host that may change its SR."""

from typing import Any

from lab.xapi import datapath, driver, features
from lab.xapi.context import Context
from lab.xapi.failure import Failure, internal
from lab.xapi.operations import Mark, marked, refresh
from lab.xapi.registry import call
from lab.xapi.sr import host_for
from lab.xapi.values import EPOCH, NULL, now

NOBODYS_POOL = ""
KEPT_ON_CLONE = ("base_mirror",)
COPIED_TO_CLONE = (
    "name_label name_description type sharable other_config xenstore_data on_boot allow_caching tags".split()
)


def require_plugged(ctx: Context, sr: str, host: str) -> None:
    """SR_NO_PBDS unless the repository is attached on the host."""
    _, record = driver.pbd_on(ctx, sr, host)
    if not record["currently_attached"]:
        raise Failure("SR_NO_PBDS", sr)


def missing(text: str) -> Failure:
    """What the API shows when xapi's storage layer finds no such disk, or calls an error that."""
    return internal(f"Storage_error ([S(Vdi_does_not_exist);S({text})])")


def unimplemented(name: str) -> Failure:
    """What the API shows for a call that the driver offers but does not implement."""
    return internal(f"Storage_error ([S(Unimplemented);S({name})])")


def unsigned(size: int) -> str:
    """A size as it reaches the driver: xapi prints its 64 bits without a sign."""
    return str(size % (1 << 64))


def by_location(ctx: Context, sr: str, location: str) -> str:
    """The disk of a repository with this location; an internal error when the driver made no record of it."""
    for ref in ctx.db.where("VDI", SR=sr, location=location):
        return ref
    raise missing(location)


def _require_managed(ctx: Context, vdi: str) -> None:
    if not ctx.db.field("VDI", vdi, "managed"):
        raise Failure("VDI_NOT_MANAGED", vdi)


@call("VDI.create")
def create(ctx: Context, record: dict[str, Any]) -> str:
    """Make a disk."""
    with marked(ctx, Mark("SR", record["SR"], "vdi_create")):
        return make(ctx, record)


def make(ctx: Context, record: dict[str, Any]) -> str:
    """Make a disk, without looking at what else runs on its repository."""
    if record["type"] == "cbt_metadata":
        raise Failure("VDI_INCOMPATIBLE_TYPE", "", "CBT metadata")
    sr = record["SR"]
    host = host_for(ctx, sr)
    require_plugged(ctx, sr, host)
    args = (
        unsigned(record["virtual_size"]),
        record["name_label"],
        record["name_description"],
        NOBODYS_POOL,
        "false",
        str(EPOCH),
        "",
        str(record["read_only"]).lower(),
    )
    extra = {"vdi_type": record["type"], "vdi_sm_config": record["sm_config"]}
    answer = driver.sr_call(ctx, sr, host, "vdi_create", "VDI.create", args, **extra)
    vdi = _introduced(ctx, answer["uuid"])
    later = ("other_config", "sharable", "tags", "xenstore_data")
    ctx.db.set("VDI", vdi, **{name: record[name] for name in later})
    refresh(ctx.db, "VDI", vdi)
    return vdi


def _introduced(ctx: Context, uuid: str) -> str:
    """The disk that the driver must have made a record of."""
    try:
        return ctx.db.by_uuid("VDI", uuid)
    except Failure:
        raise internal(f"Db_exn.Read_missing_uuid(VDI, , {uuid})") from None


@call("VDI.destroy")
def destroy(ctx: Context, vdi: str) -> None:
    """Destroy a disk, its record and the connections that use it."""
    sr = ctx.db.field("VDI", vdi, "SR")
    with marked(ctx, Mark("SR", sr, "vdi_destroy"), Mark("VDI", vdi, "destroy")):
        host = host_for(ctx, sr)
        require_plugged(ctx, sr, host)
        _require_managed(ctx, vdi)
        vbds = ctx.db.field("VDI", vdi, "VBDs")
        if ctx.db.where("VBD", VDI=vdi, currently_attached=True):
            raise Failure("VDI_IN_USE", vdi, "destroy")
        driver.vdi_call(ctx, vdi, host, "vdi_delete", "VDI.destroy")
        if ctx.db.exists("VDI", vdi):
            ctx.db.delete("VDI", vdi)
        for vbd in vbds:
            if ctx.db.exists("VBD", vbd):
                ctx.db.delete("VBD", vbd)
        for vm in ctx.db.where("VM", suspend_VDI=vdi):
            ctx.db.set("VM", vm, suspend_VDI=NULL)


@call("VDI.forget")
def forget(ctx: Context, vdi: str) -> None:
    """Remove the record only."""
    with marked(ctx, Mark("VDI", vdi, "forget")):
        ctx.db.delete("VDI", vdi)


@call("VDI.update")
def update(ctx: Context, vdi: str) -> None:
    """Let the driver store what the record says."""
    with marked(ctx, Mark("VDI", vdi, "update")):
        push(ctx, vdi)


def push(ctx: Context, vdi: str) -> None:
    """vdi_update; every error of the driver is shown as a disk that does not exist."""
    record = ctx.db.get("VDI", vdi)
    host = host_for(ctx, record["SR"])
    require_plugged(ctx, record["SR"], host)
    try:
        driver.vdi_call(ctx, vdi, host, "vdi_update", "VDI.stat")
    except Failure as failure:
        raise missing(record["location"]) from failure


@call("VDI.set_name_label")
def set_name_label(ctx: Context, vdi: str, value: str) -> None:
    """Rename; the record changes first, and keeps the name when the driver fails."""
    host_for(ctx, ctx.db.field("VDI", vdi, "SR"))
    ctx.db.set("VDI", vdi, name_label=value)
    push(ctx, vdi)


@call("VDI.set_name_description")
def set_name_description(ctx: Context, vdi: str, value: str) -> None:
    """Describe; the record changes first, and keeps the text when the driver fails."""
    host_for(ctx, ctx.db.field("VDI", vdi, "SR"))
    ctx.db.set("VDI", vdi, name_description=value)
    push(ctx, vdi)


@call("VDI.snapshot")
def snapshot(ctx: Context, vdi: str, driver_params: dict[str, str]) -> str:
    """Snapshot a disk."""
    sr = ctx.db.field("VDI", vdi, "SR")
    with marked(ctx, Mark("SR", sr, "vdi_snapshot"), Mark("VDI", vdi, "snapshot")):
        try:
            copy = _derived(ctx, vdi, "vdi_snapshot", "VDI.snapshot", driver_params)
        except Failure as failure:
            replacement = Failure("UNIMPLEMENTED_IN_SM_BACKEND", sr)
            raise driver.unsupported(failure, replacement) from failure
        ctx.db.set("VDI", copy, is_a_snapshot=True, snapshot_of=vdi)
        refresh(ctx.db, "VDI", copy)
        return copy


@call("VDI.clone")
def clone(ctx: Context, vdi: str, driver_params: dict[str, str]) -> str:
    """Clone a disk; a driver that cannot gets a full copy made."""
    sr = ctx.db.field("VDI", vdi, "SR")
    with marked(ctx, Mark("SR", sr, "vdi_clone"), Mark("VDI", vdi, "clone")):
        try:
            return _derived(ctx, vdi, "vdi_clone", "VDI.clone", driver_params)
        except Failure as failure:
            other = unimplemented("VDI.clone")
            if driver.unsupported(failure, other) is not other:
                raise
        return _full_copy(ctx, vdi, sr, {})


def _derived(ctx: Context, vdi: str, command: str, label: str, driver_params: dict[str, str]) -> str:
    """Let the driver make a disk out of another one, and give it what xapi itself keeps about a disk."""
    original = ctx.db.get("VDI", vdi)
    sr = original["SR"]
    host = host_for(ctx, sr)
    require_plugged(ctx, sr, host)
    _require_managed(ctx, vdi)
    answer = driver.vdi_call(ctx, vdi, host, command, label, driver_params=driver_params)
    copy = by_location(ctx, sr, answer["location"])
    content = original["other_config"].get("content_id") or datapath.new_content_id()
    ctx.db.set(
        "VDI",
        copy,
        name_label=original["name_label"],
        name_description=original["name_description"],
        snapshot_time=now(),
        is_a_snapshot=command == "vdi_snapshot",
        other_config={**ctx.db.field("VDI", copy, "other_config"), "content_id": content},
        sm_config={**ctx.db.field("VDI", copy, "sm_config"), **_kept(driver_params)},
    )
    driver.vdi_call(ctx, copy, host, "vdi_update", "VDI.update")
    ctx.db.set("VDI", copy, **{name: original[name] for name in COPIED_TO_CLONE})
    refresh(ctx.db, "VDI", copy)
    return copy


def _kept(driver_params: dict[str, str]) -> dict[str, str]:
    return {key: value for key, value in driver_params.items() if key in KEPT_ON_CLONE}


@call("VDI.resize")
def resize(ctx: Context, vdi: str, size: int) -> None:
    """Change the size of a disk that is not in use; nothing is rounded and shrinking is the driver's matter."""
    sr = ctx.db.field("VDI", vdi, "SR")
    with marked(ctx, Mark("SR", sr, "vdi_resize"), Mark("VDI", vdi, "resize")):
        host = host_for(ctx, sr)
        require_plugged(ctx, sr, host)
        _require_managed(ctx, vdi)
        try:
            answer = driver.vdi_call(ctx, vdi, host, "vdi_resize", "VDI.resize", (unsigned(size),))
        except Failure as failure:
            raise driver.unsupported(failure, unimplemented("VDI.resize")) from failure
        by_location(ctx, sr, answer["location"])


@call("VDI.copy")
def copy(ctx: Context, vdi: str, sr: str, base_vdi: str, into_vdi: str) -> str:
    """Copy the blocks of a disk into a new one or into another."""
    with marked(ctx, Mark("VDI", vdi, "copy")):
        _require_managed(ctx, vdi)
        if into_vdi == NULL:
            return _full_copy(ctx, vdi, sr, {"sm_config": {}}, mark=True)
        source, target = ctx.db.get("VDI", vdi), ctx.db.get("VDI", into_vdi)
        if target["read_only"]:
            raise Failure("VDI_READONLY", into_vdi)
        if target["virtual_size"] < source["virtual_size"]:
            raise Failure("VDI_TOO_SMALL", into_vdi, str(source["virtual_size"]))
        datapath.copy_blocks(ctx, vdi, into_vdi, _common_host(ctx, vdi, into_vdi))
        return into_vdi


def _full_copy(ctx: Context, vdi: str, sr: str, fields: dict[str, Any], mark: bool = False) -> str:
    """A new disk with the blocks of another; destroyed again when the copy fails."""
    original = ctx.db.get("VDI", vdi)
    names = "name_label name_description virtual_size type sharable other_config xenstore_data tags".split()
    record = {**{name: original[name] for name in names}, "sm_config": {}, **fields}
    record.update({"SR": sr, "read_only": False})
    new = create(ctx, record) if mark else make(ctx, record)
    try:
        datapath.copy_blocks(ctx, vdi, new, _common_host(ctx, vdi, new))
    except Failure:
        driver.vdi_call(ctx, new, host_for(ctx, sr), "vdi_delete", "VDI.destroy")
        if ctx.db.exists("VDI", new):
            ctx.db.delete("VDI", new)
        raise
    return new


def _common_host(ctx: Context, *vdis: str) -> str:
    """A host that has the repositories of all these disks attached. Raises SR_NO_PBDS."""
    srs = [ctx.db.field("VDI", vdi, "SR") for vdi in vdis]
    for host in (driver.master(ctx), *ctx.db.refs("host")):
        if all(ctx.db.where("PBD", SR=sr, host=host, currently_attached=True) for sr in srs):
            return host
    raise Failure("SR_NO_PBDS", srs[0])


@call("VDI.generate_config")
def generate_config(ctx: Context, host: str, vdi: str) -> str:
    """The text with which the driver can attach the disk without xapi."""
    with marked(ctx, Mark("VDI", vdi, "generate_config")):
        require_plugged(ctx, ctx.db.field("VDI", vdi, "SR"), host)
        _require_managed(ctx, vdi)
        return str(driver.vdi_call(ctx, vdi, host, "vdi_generate_config", "VDI.generate_config"))


@call("VDI.set_on_boot")
def set_on_boot(ctx: Context, vdi: str, value: str) -> None:
    """Whether a VM's start throws the disk's changes away; only while it is halted."""
    _require_halted_users(ctx, vdi)
    sr = ctx.db.field("VDI", vdi, "SR")
    with marked(ctx, Mark("SR", sr, "vdi_set_on_boot"), Mark("VDI", vdi, "set_on_boot")):
        if "VDI_RESET_ON_BOOT" not in features.of_sr(ctx.db, sr):
            raise Failure("SR_OPERATION_NOT_SUPPORTED", sr)
        ctx.db.set("VDI", vdi, on_boot=value)


@call("VDI.set_allow_caching")
def set_allow_caching(ctx: Context, vdi: str, value: bool) -> None:
    """Whether the disk may be cached on a local repository; only while its VM is halted."""
    _require_halted_users(ctx, vdi)
    ctx.db.set("VDI", vdi, allow_caching=value)


def _require_halted_users(ctx: Context, vdi: str) -> None:
    for vbd in ctx.db.field("VDI", vdi, "VBDs"):
        vm = ctx.db.field("VBD", vbd, "VM")
        state = ctx.db.field("VM", vm, "power_state")
        if state != "Halted":
            raise Failure("VM_BAD_POWER_STATE", vm, "halted", state.lower())
