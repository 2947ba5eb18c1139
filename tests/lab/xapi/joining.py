"""pool.join: a host gives up its own pool and moves its records into another one's."""

import logging
from typing import Any

from lab.xapi import remote
from lab.xapi.context import Context
from lab.xapi.database import Database, Record
from lab.xapi.failure import Failure
from lab.xapi.registry import call
from lab.xapi.remote import Unreachable
from lab.xapi.schema import schema
from lab.xapi.values import Date

LOG = logging.getLogger("xapi")
MOVED = "host host_metrics host_cpu VM VM_metrics console PIF PIF_metrics PCI SR PBD VDI VBD".split()

Tables = dict[str, dict[str, Record]]


@call("pool.join")
def join(ctx: Context, master_address: str, username: str, password: str) -> None:
    """Join the pool of another master. On an error nothing has changed."""
    _require_joinable(ctx.db)
    port = ctx.server.config.port
    try:
        session = remote.api_call(master_address, port, "session.login_with_password", [username, password])
        document = {"session": session, "tables": _tables(ctx.db)}
        secret = remote.ask(master_address, port, remote.JOIN, document, "")
    except Unreachable as error:
        LOG.warning("joining %s: %s", master_address, error)
        raise Failure("POOL_JOINING_HOST_CONNECTION_FAILED") from error
    ctx.server.become_member(master_address, secret)


def _require_joinable(db: Database) -> None:
    if db.count("host") > 1:
        raise Failure("POOL_JOINING_HOST_CANNOT_BE_MASTER_OF_OTHER_HOSTS")
    if db.where("VM", is_control_domain=False, power_state="Running"):
        raise Failure("POOL_JOINING_HOST_CANNOT_HAVE_RUNNING_VMS")
    if any(not _is_tools(record) for record in db.where("SR", shared=True).values()):
        raise Failure("POOL_JOINING_HOST_CANNOT_CONTAIN_SHARED_SRS")


def _is_tools(sr: Record) -> bool:
    return bool(sr["is_tools_sr"])


def _tables(db: Database) -> Tables:
    """The rows that move: the host with its parts, and its local storage."""
    with db.lock:
        rows = {cls: table for cls, table in db.raw().items() if cls in MOVED}
        rows["VM"] = {ref: row for ref, row in rows["VM"].items() if row["is_control_domain"]}
        rows["SR"] = {ref: row for ref, row in rows.get("SR", {}).items() if not row["shared"]}
        rows["PBD"] = {ref: row for ref, row in rows.get("PBD", {}).items() if row["SR"] in rows["SR"]}
        rows["VDI"] = {ref: row for ref, row in rows.get("VDI", {}).items() if row["SR"] in rows["SR"]}
        rows["VBD"] = {ref: row for ref, row in rows.get("VBD", {}).items() if row["VM"] in rows["VM"]}
        # Networks are the pool's; the master has its own for the same bridge.
        for row in rows.get("PIF", {}).values():
            row["network"] = db.field("network", row["network"], "bridge")
        return rows


def admit(db: Database, tables: Tables) -> None:
    """Take a joining host's records in, on the master. Raises Failure before anything has changed."""
    with db.lock:
        for row in tables["host"].values():
            if any(record["uuid"] == row["uuid"] for record in db.records("host").values()):
                raise Failure("INTERNAL_ERROR", "host %s is in the pool already" % row["uuid"])
        for row in tables["host"].values():
            row["enabled"] = False  # until its toolstack has started as a member
        for row in tables.get("PIF", {}).values():
            row["network"] = _network(db, row["network"])
        db.load({cls: {ref: _typed(cls, row) for ref, row in table.items()} for cls, table in tables.items()})


def _network(db: Database, bridge: str) -> str:
    found = db.where("network", bridge=bridge)
    return next(iter(found)) if found else db.create("network", bridge=bridge, name_label=bridge, MTU=1500)


def _typed(cls: str, row: dict[str, Any]) -> Record:
    fields = schema().classes[cls].fields
    return {name: Date(value) if fields[name].type == "datetime" else value for name, value in row.items()}
