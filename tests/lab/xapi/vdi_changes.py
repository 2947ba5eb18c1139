"""Changed block tracking."""

from lab.xapi import driver
from lab.xapi.context import Context
from lab.xapi.failure import Failure
from lab.xapi.operations import Mark, marked
from lab.xapi.registry import call
from lab.xapi.sr import host_for
from lab.xapi.vdi import require_plugged


def _tracked(ctx: Context, vdi: str, operation: str, command: str, label: str, *args: str) -> object:
    """One driver call about tracking, with the repository and the disk marked."""
    sr = ctx.db.field("VDI", vdi, "SR")
    with marked(ctx, Mark("SR", sr, "vdi_" + operation), Mark("VDI", vdi, operation)):
        host = host_for(ctx, sr)
        require_plugged(ctx, sr, host)
        if operation == "enable_cbt" and ctx.db.field("VDI", vdi, "cbt_enabled"):
            return None
        if operation == "disable_cbt" and not ctx.db.field("VDI", vdi, "cbt_enabled"):
            return None
        return _called(ctx, vdi, host, command, label, args)


def _called(ctx: Context, vdi: str, host: str, command: str, label: str, args: tuple[str, ...]) -> object:
    answer: object = driver.vdi_call(ctx, vdi, host, command, label, args)
    if command in ("vdi_enable_cbt", "vdi_disable_cbt"):
        ctx.db.set("VDI", vdi, cbt_enabled=command == "vdi_enable_cbt")
    return answer


@call("VDI.enable_cbt")
def enable_cbt(ctx: Context, vdi: str) -> None:
    """Begin to track."""
    _tracked(ctx, vdi, "enable_cbt", "vdi_enable_cbt", "VDI.enable_cbt")


@call("VDI.disable_cbt")
def disable_cbt(ctx: Context, vdi: str) -> None:
    """Stop tracking."""
    _tracked(ctx, vdi, "disable_cbt", "vdi_disable_cbt", "VDI.disable_cbt")


@call("VDI.data_destroy")
def data_destroy(ctx: Context, vdi: str) -> None:
    """Destroy a snapshot's data and keep what it knows about changes. No connection may be left."""
    previous = ctx.db.field("VDI", vdi, "type")
    if previous == "cbt_metadata":
        return
    _require_destroyable(ctx, vdi)
    ctx.db.set("VDI", vdi, type="cbt_metadata")
    try:
        _tracked(ctx, vdi, "data_destroy", "vdi_data_destroy", "VDI.data_destroy")
    except Failure:
        ctx.db.set("VDI", vdi, type=previous)
        raise


def _require_destroyable(ctx: Context, vdi: str) -> None:
    if ctx.db.field("VDI", vdi, "VBDs"):
        raise Failure("VDI_IN_USE", vdi, "data_destroy")


@call("VDI.list_changed_blocks")
def list_changed_blocks(ctx: Context, vdi_from: str, vdi_to: str) -> str:
    """The blocks that differ between two snapshots, as a bitmap in base64."""
    sr = ctx.db.field("VDI", vdi_to, "SR")
    marks = (Mark("SR", sr, "vdi_list_changed_blocks"), Mark("VDI", vdi_to, "list_changed_blocks"))
    with marked(ctx, *marks):
        host = host_for(ctx, sr)
        require_plugged(ctx, sr, host)
        label = "VDI.list_changed_blocks"
        return str(driver.vdi_call(ctx, vdi_from, host, "vdi_list_changed_blocks", label, (vdi_to,)))
