"""Which operations an object allows now, and marking one as running."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import NamedTuple

from lab.xapi.context import Context
from lab.xapi.database import Database, new_ref
from lab.xapi.failure import Failure
from lab.xapi.registry import at_start
from lab.xapi.values import NULL

BUSY = "OTHER_OPERATION_IN_PROGRESS"
PATIENCE = 7200.0  # seconds that xapi waits for another operation to end
LOOK_AGAIN = 5.0  # seconds until the next look when no change was noticed

Check = Callable[[Database, str, str], Failure | None]


class Mark(NamedTuple):
    """An operation that runs on an object."""

    cls: str
    ref: str
    operation: str


# class -> (all operations, what forbids one of them now)
_rules: dict[str, tuple[tuple[str, ...], Check]] = {}


def rules(cls: str, names: str) -> Callable[[Check], Check]:
    """Declare the function that says what forbids an operation on an object of this class."""

    def declare(check: Check) -> Check:
        _rules[cls] = (tuple(names.split()), check)
        return check

    return declare


def forbidden(db: Database, mark: Mark) -> Failure | None:
    """Why an operation cannot start now, or None."""
    return _rules[mark.cls][1](db, mark.ref, mark.operation)


def require(db: Database, cls: str, ref: str, operation: str) -> None:
    """Raise the Failure that forbids an operation now."""
    failure = forbidden(db, Mark(cls, ref, operation))
    if failure is not None:
        raise failure


def busy(cls: str, ref: str, current: dict[str, str]) -> Failure:
    """The Failure for an object on which another operation runs."""
    key, operation = next(iter(current.items()))
    return Failure(BUSY, cls, ref, operation, key)


def refresh(db: Database, cls: str, ref: str) -> None:
    """Bring an object's allowed_operations up to date."""
    names, check = _rules[cls]
    allowed = [name for name in names if check(db, ref, name) is None]
    if db.field(cls, ref, "allowed_operations") != allowed:
        db.set(cls, ref, allowed_operations=allowed)


@contextmanager
def marked(ctx: Context, *marks: Mark) -> Iterator[None]:
    """Run the body with the operations marked; waits while others run, raises whatever else forbids one."""
    key = _key(ctx, marks)
    _begin(ctx.db, key, marks)
    try:
        yield
    finally:
        with ctx.db.lock:
            for mark in marks:
                _end(ctx.db, key, mark)


def _key(ctx: Context, marks: tuple[Mark, ...]) -> str:
    """The task's reference, unless it marks one of the objects already."""
    if ctx.task == NULL:
        return new_ref()
    for mark in marks:
        if ctx.task in ctx.db.field(mark.cls, mark.ref, "current_operations"):
            return new_ref()
    return ctx.task


def _begin(db: Database, key: str, marks: tuple[Mark, ...]) -> None:
    deadline = time.monotonic() + PATIENCE
    with db.changed:
        while True:
            failure = next((f for f in (forbidden(db, mark) for mark in marks) if f is not None), None)
            if failure is None:
                break
            if failure.code != BUSY or time.monotonic() > deadline:
                raise failure
            db.changed.wait(LOOK_AGAIN)
        for mark in marks:
            current = db.field(mark.cls, mark.ref, "current_operations")
            db.set(mark.cls, mark.ref, current_operations={**current, key: mark.operation})
            refresh(db, mark.cls, mark.ref)


def _end(db: Database, key: str, mark: Mark) -> None:
    if not db.exists(mark.cls, mark.ref):
        return
    current = db.field(mark.cls, mark.ref, "current_operations")
    db.set(mark.cls, mark.ref, current_operations={k: v for k, v in current.items() if k != key})
    refresh(db, mark.cls, mark.ref)


@at_start
def forget_running(ctx: Context, host: str) -> None:
    """What ran when the master's toolstack ended does not run any more."""
    if host != ctx.server.host:
        return
    for cls in _rules:
        for ref, record in ctx.db.records(cls).items():
            if record["current_operations"]:
                ctx.db.set(cls, ref, current_operations={})
                refresh(ctx.db, cls, ref)
