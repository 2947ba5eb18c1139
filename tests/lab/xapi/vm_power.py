"""Starting and stopping VMs: hooks, the driver's calls, and the records. No guest runs."""

import itertools

from lab.xapi import datapath, vbd
from lab.xapi.context import Context
from lab.xapi.failure import Failure
from lab.xapi.operations import Mark, marked, refresh, require
from lab.xapi.registry import call
from lab.xapi.values import NULL, now
from lab.xapi.vm import assert_can_boot_here, choose_host

_domids = itertools.count(1)


@call("VM.start")
def start(ctx: Context, vm: str, start_paused: bool, force: bool) -> None:
    """Start a VM somewhere."""
    with marked(ctx, Mark("VM", vm, "start")):
        _start(ctx, vm, choose_host(ctx, vm), "Paused" if start_paused else "Running")


@call("VM.start_on")
def start_on(ctx: Context, vm: str, host: str, start_paused: bool, force: bool) -> None:
    """Start a VM on one host."""
    with marked(ctx, Mark("VM", vm, "start_on")):
        assert_can_boot_here(ctx, vm, host)
        _start(ctx, vm, host, "Paused" if start_paused else "Running")


def _hook(ctx: Context, vm: str, host: str, name: str, reason: str) -> None:
    uuid = ctx.db.field("VM", vm, "uuid")
    ctx.on_host(host).run_hook(name, ["-vmuuid", uuid], reason)


def _connections(ctx: Context, vm: str) -> list[str]:
    """Those that write first, as xenopsd plugs them."""
    vbds = ctx.db.where("VBD", VM=vm)
    return sorted(vbds, key=lambda ref: vbds[ref]["mode"] != "RW")


def _start(ctx: Context, vm: str, host: str, power_state: str) -> None:
    for ref in _connections(ctx, vm):
        require(ctx.db, "VBD", ref, "attach")
    ctx.db.set("VM", vm, scheduled_to_be_resident_on=host)
    try:
        _bring_up(ctx, vm, host)
    finally:
        ctx.db.set("VM", vm, scheduled_to_be_resident_on=NULL)
    ctx.db.set("VM", vm, power_state=power_state, resident_on=host)
    ctx.db.set("VM_metrics", ctx.db.field("VM", vm, "metrics"), start_time=now(), last_updated=now())
    _refresh(ctx, vm)


def _bring_up(ctx: Context, vm: str, host: str) -> None:
    """The hook, a domain, and every disk; when one fails, those before it are let go."""
    _hook(ctx, vm, host, "vm-pre-start", "none")
    ctx.db.set("VM", vm, domid=next(_domids))
    done: list[str] = []
    try:
        for ref in _connections(ctx, vm):
            record = ctx.db.get("VBD", ref)
            if not record["empty"]:
                datapath.epoch_begin(ctx, record["VDI"], host)
            vbd.connect(ctx, ref, host)
            done.append(ref)
    except Failure:
        for ref in done:
            vbd.disconnect(ctx, ref, host)
        ctx.db.set("VM", vm, domid=-1)
        raise


def _take_down(ctx: Context, vm: str, host: str) -> None:
    """Every disk is let go, then every epoch ends; an error leaves the VM and the disk as they are."""
    attached = [ref for ref in _connections(ctx, vm) if ctx.db.field("VBD", ref, "currently_attached")]
    for ref in attached:
        vbd.disconnect(ctx, ref, host)
    for ref in attached:
        record = ctx.db.get("VBD", ref)
        if not record["empty"]:
            datapath.epoch_end(ctx, record["VDI"], host)


def _stop(ctx: Context, vm: str, reason: str) -> None:
    host = ctx.db.field("VM", vm, "resident_on")
    if host != NULL:
        _hook(ctx, vm, host, "vm-pre-shutdown", reason)
        _take_down(ctx, vm, host)
        _hook(ctx, vm, host, "vm-post-destroy", reason)
    ctx.db.set("VM", vm, power_state="Halted", resident_on=NULL, domid=-1)
    _refresh(ctx, vm)


def _refresh(ctx: Context, vm: str) -> None:
    refresh(ctx.db, "VM", vm)
    for ref, record in ctx.db.where("VBD", VM=vm).items():
        refresh(ctx.db, "VBD", ref)
        if ctx.db.exists("VDI", record["VDI"]):
            refresh(ctx.db, "VDI", record["VDI"])


@call("VM.hard_shutdown")
def hard_shutdown(ctx: Context, vm: str) -> None:
    """Stop a VM at once."""
    with marked(ctx, Mark("VM", vm, "hard_shutdown")):
        _stop(ctx, vm, "hard-shutdown")


@call("VM.clean_shutdown")
def clean_shutdown(ctx: Context, vm: str) -> None:
    """Ask the guest to shut down."""
    with marked(ctx, Mark("VM", vm, "clean_shutdown")):
        _stop(ctx, vm, "clean-shutdown")


@call("VM.shutdown")
def shutdown(ctx: Context, vm: str) -> None:
    """Ask the guest to shut down, and stop it when it cannot."""
    try:
        clean_shutdown(ctx, vm)
    except Failure as failure:
        if failure.code in ("OPERATION_BLOCKED", "XAPI_HOOK_FAILED"):
            raise
        hard_shutdown(ctx, vm)


@call("VM.hard_reboot")
def hard_reboot(ctx: Context, vm: str) -> None:
    """Stop a VM at once and start it again on the same host."""
    with marked(ctx, Mark("VM", vm, "hard_reboot")):
        _reboot(ctx, vm, "hard-reboot")


@call("VM.clean_reboot")
def clean_reboot(ctx: Context, vm: str) -> None:
    """Ask the guest to reboot."""
    with marked(ctx, Mark("VM", vm, "clean_reboot")):
        _reboot(ctx, vm, "clean-reboot")


def _reboot(ctx: Context, vm: str, reason: str) -> None:
    host = ctx.db.field("VM", vm, "resident_on")
    _hook(ctx, vm, host, "vm-pre-shutdown", reason)
    _take_down(ctx, vm, host)
    _hook(ctx, vm, host, "vm-post-destroy", reason)
    _hook(ctx, vm, host, "vm-pre-reboot", "none")
    _bring_up(ctx, vm, host)
    ctx.db.set("VM", vm, power_state="Running")
    _refresh(ctx, vm)


@call("VM.power_state_reset")
def power_state_reset(ctx: Context, vm: str) -> None:
    """Say that a VM is not running, whatever is the case: its disks are let go in the records only."""
    for ref in ctx.db.where("VBD", VM=vm, currently_attached=True):
        ctx.db.set("VBD", ref, currently_attached=False)
    ctx.db.set("VM", vm, power_state="Halted", resident_on=NULL, domid=-1, current_operations={})
    _refresh(ctx, vm)
