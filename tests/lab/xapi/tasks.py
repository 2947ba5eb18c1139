"""Tasks: the record of an asynchronous call, and the calls that make, change and end one."""

import uuid as uuids
from typing import Any

from lab.xapi.context import Context
from lab.xapi.database import Database
from lab.xapi.failure import Failure
from lab.xapi.registry import call
from lab.xapi.values import EPOCH, NULL, now

COMPLETED = ("success", "failure", "cancelled")


def create(db: Database, host: str, label: str, description: str = "", subtask_of: str = NULL) -> str:
    """A pending task that is resident on ``host``."""
    return db.create(
        "task",
        name_label=label,
        name_description=description,
        created=now(),
        finished=EPOCH,
        status="pending",
        type="<none/>",
        resident_on=host,
        subtask_of=subtask_of if db.exists("task", subtask_of) else NULL,
        backtrace="()",
    )


def _finish(db: Database, ref: str, **fields: Any) -> None:
    with db.lock:
        if not db.exists("task", ref) or db.field("task", ref, "status") != "pending":
            return
        db.set("task", ref, progress=1.0, finished=now(), allowed_operations=[], **fields)
        if "destroy" in db.field("task", ref, "current_operations").values():
            db.delete("task", ref)


def succeed(db: Database, ref: str, result: str) -> None:
    """Complete a pending task; ``result`` is the value as XML-RPC text."""
    _finish(db, ref, status="success", result=result)


def fail(db: Database, ref: str, failure: Failure) -> None:
    """Complete a pending task with an error; TASK_CANCELLED makes it cancelled."""
    status = "cancelled" if failure.code == "TASK_CANCELLED" else "failure"
    _finish(db, ref, status=status, error_info=failure.description)


@call("task.create")
def task_create(ctx: Context, label: str, description: str) -> str:
    """A task for the client to fill in."""
    return create(ctx.db, ctx.session.host, label, description, subtask_of=ctx.task)


@call("task.destroy")
def task_destroy(ctx: Context, task: str) -> None:
    """Remove a completed task at once, a running one when it ends."""
    with ctx.db.lock:
        if ctx.db.field("task", task, "status") in COMPLETED:
            ctx.db.delete("task", task)
        else:
            ctx.db.update("task", task, "current_operations", lambda old: {**old, "task": "destroy"})


@call("task.cancel")
def task_cancel(ctx: Context, task: str) -> None:
    """Ask the task to stop; it does where it looks for that, and may as well complete."""
    caller = "DummyRef:|%s|task.cancel" % uuids.uuid4()
    ctx.db.set("task", task, current_operations={caller: "cancel"})


@call("task.set_status")
def set_status(ctx: Context, task: str, value: str) -> None:
    """Set the status; ``finished`` is untouched, as in xapi."""
    ctx.db.set("task", task, status=value)


@call("task.set_progress")
def set_progress(ctx: Context, task: str, value: float) -> None:
    """Set the progress, 0 to 1."""
    ctx.db.set("task", task, progress=value)


@call("task.set_result")
def set_result(ctx: Context, task: str, value: str) -> None:
    """Set the result text."""
    ctx.db.set("task", task, result=value)


@call("task.set_error_info")
def set_error_info(ctx: Context, task: str, value: list[str]) -> None:
    """Set the error."""
    ctx.db.set("task", task, error_info=value)
