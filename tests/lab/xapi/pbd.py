"""Connections of repositories to hosts."""

import logging
from typing import Any

from lab.xapi import attachments, driver, message, secret
from lab.xapi.context import Context
from lab.xapi.failure import Failure
from lab.xapi.operations import Mark, busy, marked, refresh
from lab.xapi.registry import at_start, call

LOG = logging.getLogger("xapi")
RESERVED = "SRmaster"


@call("PBD.create")
def create(ctx: Context, record: dict[str, Any]) -> str:
    """Make a connection; it is not plugged."""
    config = secret.moved(ctx.db, record["device_config"])
    with marked(ctx, Mark("SR", record["SR"], "pbd_create")):
        return create_on(ctx, record["SR"], record["host"], config)


def create_on(ctx: Context, sr: str, host: str, config: dict[str, str]) -> str:
    """The record of a connection, with copies of the secrets in its device-config."""
    for ref in ctx.db.where("PBD", SR=sr, host=host):
        raise Failure("PBD_EXISTS", sr, host, ref)
    _require_no_reserved_key(config)
    ctx.db.get("host", host)
    copied = secret.duplicated(ctx.db, config)
    domain = ctx.db.field("host", host, "control_domain")
    other = {"storage_driver_domain": domain}
    return ctx.db.create("PBD", SR=sr, host=host, device_config=copied, other_config=other)


def _require_no_reserved_key(config: dict[str, str]) -> None:
    if RESERVED in config:
        text = "This key is for internal use only"
        raise Failure("VALUE_NOT_SUPPORTED", RESERVED, config[RESERVED], text)


@call("PBD.destroy")
def destroy(ctx: Context, pbd: str) -> None:
    """Remove a connection that is not plugged, with its secrets."""
    with marked(ctx, Mark("SR", ctx.db.field("PBD", pbd, "SR"), "pbd_destroy")):
        if ctx.db.field("PBD", pbd, "currently_attached"):
            raise Failure("OPERATION_NOT_ALLOWED", "PBD is currently attached")
        drop(ctx, pbd)


def drop(ctx: Context, pbd: str) -> None:
    """Remove the record and its secrets."""
    config = ctx.db.field("PBD", pbd, "device_config")
    ctx.db.delete("PBD", pbd)
    secret.removed(ctx.db, config)


@call("PBD.set_device_config")
def set_device_config(ctx: Context, pbd: str, value: dict[str, str]) -> None:
    """Only the driver may; passwords become secrets."""
    config = secret.moved(ctx.db, value)
    ctx.require_sm_access(ctx.db.field("PBD", pbd, "SR"))
    _require_no_reserved_key(config)
    ctx.db.set("PBD", pbd, device_config=config)


@call("PBD.plug")
def plug(ctx: Context, pbd: str) -> None:
    """Attach the repository on the host. An error of a later step leaves it attached, as in xapi."""
    record = ctx.db.get("PBD", pbd)
    sr, host = record["SR"], record["host"]
    with marked(ctx, Mark("SR", sr, "plug")):
        attach(ctx, pbd)
    if host == driver.master(ctx):
        driver.sr_call(ctx, sr, host, "sr_update", "SR.stat")


def attach(ctx: Context, pbd: str) -> None:
    """The host's own part of plugging."""
    record = ctx.db.get("PBD", pbd)
    sr, host = record["SR"], record["host"]
    driver.require_type(ctx, ctx.db.field("SR", sr, "type"), host)
    if record["currently_attached"]:
        return
    _require_sharable(ctx, sr, host)
    driver.sr_call(ctx, sr, host, "sr_attach", "SR.attach")
    ctx.db.set("PBD", pbd, currently_attached=True)
    if driver.is_sr_master(ctx, sr, host):
        driver.sr_call(ctx, sr, host, "sr_update", "SR.stat")
    refresh(ctx.db, "SR", sr)


def _require_sharable(ctx: Context, sr: str, host: str) -> None:
    if ctx.db.field("SR", sr, "shared"):
        return
    for other in ctx.db.where("PBD", SR=sr, currently_attached=True).values():
        if other["host"] != host:
            raise Failure("SR_NOT_SHARABLE", sr, other["host"])


@call("PBD.unplug")
def unplug(ctx: Context, pbd: str) -> None:
    """Detach the repository on the host; refused while a disk of it is in use there."""
    record = ctx.db.get("PBD", pbd)
    sr, host = record["SR"], record["host"]
    _require_quiet_disks(ctx, sr)
    with marked(ctx, Mark("SR", sr, "unplug")):
        if not ctx.db.field("PBD", pbd, "currently_attached"):
            return
        in_use = _disks_in_use(ctx, sr, host)
        if in_use:
            raise Failure("VDI_IN_USE", *in_use)
        driver.sr_call(ctx, sr, host, "sr_detach", "SR.detach")
        ctx.db.set("PBD", pbd, currently_attached=False)


def _require_quiet_disks(ctx: Context, sr: str) -> None:
    for vdi, record in ctx.db.where("VDI", SR=sr).items():
        if record["current_operations"]:
            raise busy("VDI", vdi, record["current_operations"])


def _disks_in_use(ctx: Context, sr: str, host: str) -> list[str]:
    """Disks that a VM on this host uses, and those that the host could not let go of."""
    found = dict.fromkeys(
        vbd["VDI"]
        for vm in ctx.db.where("VM", resident_on=host)
        for vbd in ctx.db.where("VBD", VM=vm, currently_attached=True).values()
        if not vbd["empty"]
    )
    found.update(dict.fromkeys(attachments.held(ctx, host)))
    return [
        vdi
        for vdi in found
        if ctx.db.exists("VDI", vdi)
        and ctx.db.field("VDI", vdi, "SR") == sr
        and ctx.db.field("VDI", vdi, "type") != "metadata"
    ]


@at_start
def plug_all(ctx: Context, host: str) -> None:
    """Plug what is not plugged when a host's toolstack starts; a failure leaves one message."""
    for ref in ctx.db.where("PBD", host=host, currently_attached=False):
        try:
            attach(ctx, ref)
        except Failure as failure:
            LOG.error("plugging %s: %s", ref, failure.description)
    if ctx.db.where("PBD", host=host, currently_attached=False):
        message.leave(ctx, "PBD_PLUG_FAILED_ON_SERVER_START", 3, "Host", "host", host)
