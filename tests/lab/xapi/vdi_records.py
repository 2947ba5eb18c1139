"""Calls that make or remove records of disks: the driver's own, and introducing a disk that exists."""

import re
from typing import Any

from lab.xapi import driver
from lab.xapi.context import Context
from lab.xapi.failure import Failure
from lab.xapi.operations import Mark, marked, refresh
from lab.xapi.registry import call
from lab.xapi.sr import host_for
from lab.xapi.values import NULL, Date
from lab.xapi.vdi import missing, require_plugged

UUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}\Z")


@call("VDI.db_introduce")
def db_introduce(
    ctx: Context,
    uuid: str,
    name_label: str,
    name_description: str,
    sr: str,
    vdi_type: str,
    sharable: bool,
    read_only: bool,
    other_config: dict[str, str],
    location: str,
    xenstore_data: dict[str, str],
    sm_config: dict[str, str],
    managed: bool,
    virtual_size: int,
    physical_utilisation: int,
    metadata_of_pool: str,
    is_a_snapshot: bool,
    snapshot_time: Date,
    snapshot_of: str,
    cbt_enabled: bool,
) -> str:
    """The driver tells of a disk. Only its own session may."""
    ctx.require_sm_access(sr)
    if ctx.db.where("VDI", SR=sr, location=location):
        raise Failure("LOCATION_NOT_UNIQUE", sr, location)
    if not UUID.match(uuid):
        raise Failure("UUID_INVALID", "VDI", uuid)
    vdi = ctx.db.create(
        "VDI",
        uuid=uuid,
        name_label=name_label,
        name_description=name_description,
        SR=sr,
        type=vdi_type,
        sharable=sharable,
        read_only=read_only,
        other_config=other_config,
        location=location,
        xenstore_data=xenstore_data,
        sm_config=sm_config,
        managed=managed,
        virtual_size=virtual_size,
        physical_utilisation=physical_utilisation,
        metadata_of_pool=metadata_of_pool,
        is_a_snapshot=is_a_snapshot,
        snapshot_time=snapshot_time,
        snapshot_of=snapshot_of,
        cbt_enabled=cbt_enabled,
    )
    refresh(ctx.db, "VDI", vdi)
    return vdi


@call("VDI.db_forget")
def db_forget(ctx: Context, vdi: str) -> None:
    """The driver tells that a disk is gone. Only its own session may."""
    ctx.require_sm_access(ctx.db.field("VDI", vdi, "SR"))
    for vbd, record in ctx.db.where("VBD", VDI=vdi, type="CD").items():
        ctx.db.set("VBD", vbd, VDI=NULL, empty=record["type"] == "CD")
    ctx.db.delete("VDI", vdi)


@call("VDI.introduce")
def introduce(
    ctx: Context,
    uuid: str,
    name_label: str,
    name_description: str,
    sr: str,
    vdi_type: str,
    sharable: bool,
    read_only: bool,
    other_config: dict[str, str],
    location: str,
    xenstore_data: dict[str, str],
    sm_config: dict[str, str],
    managed: bool,
    virtual_size: int,
    physical_utilisation: int,
    metadata_of_pool: str,
    is_a_snapshot: bool,
    snapshot_time: Date,
    snapshot_of: str,
) -> str:
    """Ask the driver to make the record of a disk that exists; most of the given fields are its matter."""
    with marked(ctx, Mark("SR", sr, "vdi_introduce")):
        host = host_for(ctx, sr)
        require_plugged(ctx, sr, host)
        for record in ctx.db.where("VDI", SR=sr, location=location).values():
            if record["uuid"] != uuid:
                raise Failure("LOCATION_NOT_UNIQUE", sr, location)
        extra: dict[str, Any] = {"new_uuid": uuid, "vdi_location": location, "vdi_sm_config": sm_config}
        try:
            answer = driver.sr_call(ctx, sr, host, "vdi_introduce", "VDI.introduce", **extra)
            vdi = ctx.db.by_uuid("VDI", answer["uuid"])
        except Failure as failure:
            raise missing(location) from failure
        ctx.db.set(
            "VDI",
            vdi,
            other_config=other_config,
            xenstore_data=xenstore_data,
            sharable=sharable,
            type=vdi_type,
            **{"name_label": name_label} if name_label else {},
            **{"name_description": name_description} if name_description else {},
        )
        refresh(ctx.db, "VDI", vdi)
        return vdi
