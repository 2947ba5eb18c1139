"""Messages that xapi or a client leaves about an object."""

from typing import Any

from lab.xapi.context import Context
from lab.xapi.failure import Failure
from lab.xapi.registry import call
from lab.xapi.values import Date, now

TABLES = {
    "VM": "VM",
    "Host": "host",
    "SR": "SR",
    "Pool": "pool",
    "VDI": "VDI",
    "PVS_proxy": "PVS_proxy",
    "Certificate": "Certificate",
}
Messages = dict[str, dict[str, Any]]


@call("message.create")
def create(ctx: Context, name: str, priority: int, cls: str, obj_uuid: str, body: str) -> str:
    """Leave a message about an object that must exist. Raises UUID_INVALID."""
    table = TABLES.get(cls)
    if table is not None:
        try:
            ctx.db.by_uuid(table, obj_uuid)
        except Failure as failure:
            raise Failure("UUID_INVALID", cls, obj_uuid) from failure
    return ctx.db.create(
        "message", name=name, priority=priority, cls=cls, obj_uuid=obj_uuid, body=body, timestamp=now()
    )


def leave(ctx: Context, name: str, priority: int, cls: str, table: str, ref: str, body: str = "") -> None:
    """A message of xapi's own."""
    create(ctx, name, priority, cls, ctx.db.field(table, ref, "uuid"), body)


@call("message.destroy")
def destroy(ctx: Context, message: str) -> None:
    """Remove a message."""
    ctx.db.delete("message", message)


@call("message.get")
def get(ctx: Context, cls: str, obj_uuid: str, since: Date) -> Messages:
    """Messages about one object that are not older than ``since``."""
    return {ref: record for ref, record in get_since(ctx, since).items() if record["obj_uuid"] == obj_uuid}


@call("message.get_since")
def get_since(ctx: Context, since: Date) -> Messages:
    """Messages that are not older than ``since``."""
    return {ref: record for ref, record in ctx.db.records("message").items() if record["timestamp"] >= since}
