"""Attaching a disk to a host for a user of it, and letting it go."""

import os
import uuid as uuids
from typing import Any

from lab.xapi import driver, features
from lab.xapi.context import Context
from lab.xapi.failure import Failure, internal
from lab.xapi.registry import local

CONTENT = "content_id"
COPY_CHUNK = 4 * 1024 * 1024


def new_content_id() -> str:
    """A name for a disk's present content."""
    return str(uuids.uuid4())


def attach(ctx: Context, vdi: str, host: str, user: str, writable: bool) -> dict[str, Any]:
    """vdi_attach and vdi_activate; what the driver answered. On an error the disk is let go again."""
    mode = str(writable).lower()
    info: dict[str, Any] = driver.vdi_call(ctx, vdi, host, "vdi_attach", "VDI.attach2", (mode,))
    ctx.on_host(host).run("attachments_enter", vdi=vdi, user=user, mode="RW" if writable else "RO")
    _note_caching(ctx, vdi, host, info)
    if writable:
        _change(ctx, vdi, "other_config", remove=(CONTENT,))
    try:
        if "VDI_ACTIVATE" in features.of_sr(ctx.db, ctx.db.field("VDI", vdi, "SR")):
            driver.vdi_call(ctx, vdi, host, "vdi_activate", "VDI.activate", (mode,))
    except Failure:
        _detach(ctx, vdi, host, user)
        raise
    return info


def detach(ctx: Context, vdi: str, host: str, user: str) -> None:
    """vdi_deactivate and vdi_detach. On an error the host's book goes on saying that the disk is attached."""
    if CONTENT not in ctx.db.field("VDI", vdi, "other_config"):
        _change(ctx, vdi, "other_config", add={CONTENT: new_content_id()})
    if "VDI_DEACTIVATE" in features.of_sr(ctx.db, ctx.db.field("VDI", vdi, "SR")):
        driver.vdi_call(ctx, vdi, host, "vdi_deactivate", "VDI.deactivate")
    _detach(ctx, vdi, host, user)


def _detach(ctx: Context, vdi: str, host: str, user: str) -> None:
    driver.vdi_call(ctx, vdi, host, "vdi_detach", "VDI.detach")
    ctx.on_host(host).run("attachments_leave", vdi=vdi, user=user)
    _change(ctx, vdi, "sm_config", remove=_caching_keys(ctx, host))


def epoch_begin(ctx: Context, vdi: str, host: str) -> None:
    """A VM is about to start with the disk."""
    driver.vdi_call(ctx, vdi, host, "vdi_epoch_begin", "VDI.epoch_begin")


def epoch_end(ctx: Context, vdi: str, host: str) -> None:
    """The VM that used the disk has ended."""
    driver.vdi_call(ctx, vdi, host, "vdi_epoch_end", "VDI.epoch_end")


def _caching_keys(ctx: Context, host: str) -> tuple[str, str]:
    uuid = ctx.db.field("host", host, "uuid")
    return f"read-caching-enabled-on-{uuid}", f"read-caching-reason-{uuid}"


def _note_caching(ctx: Context, vdi: str, host: str, info: dict[str, Any]) -> None:
    enabled, reason = _caching_keys(ctx, host)
    if info["o_direct"]:
        notes = {enabled: "false", reason: info["o_direct_reason"]}
    else:
        notes = {enabled: "true"}
    _change(ctx, vdi, "sm_config", remove=(enabled, reason), add=notes)


def _change(ctx: Context, vdi: str, name: str, remove: tuple[str, ...] = (), add: dict[str, str] | None = None) -> None:
    def change(old: dict[str, str]) -> dict[str, str]:
        return {**{key: value for key, value in old.items() if key not in remove}, **(add or {})}

    ctx.db.update("VDI", vdi, name, change)


def copy_blocks(ctx: Context, source: str, target: str, host: str) -> None:
    """Copy one disk into another on a host that sees both."""
    user = driver.dummy_ref("copy")
    read = attach(ctx, source, host, user, writable=False)
    try:
        written = attach(ctx, target, host, user, writable=True)
        try:
            ctx.on_host(host).run("copy_blocks", source=read["params"], target=written["params"])
        finally:
            detach(ctx, target, host, user)
    finally:
        detach(ctx, source, host, user)


@local("copy_blocks")
def copy_files(source: str, target: str) -> None:
    """Copy the bytes of one device of this host to another."""
    try:
        with open(source, "rb", buffering=0) as reader, open(target, "r+b", buffering=0) as writer:
            while chunk := reader.read(COPY_CHUNK):
                writer.write(chunk)
            os.fsync(writer.fileno())
    except OSError as error:
        raise internal(f"Unix.Unix_error({error.strerror}, copy, {error.filename})") from error
