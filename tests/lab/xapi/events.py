"""event.from and event.inject: what changed in the database since a token.

A token holds two generations, of objects and of messages, as in xapi.
"""

import time
from typing import Any, NamedTuple

from lab.xapi.context import Context
from lab.xapi.database import Database
from lab.xapi.failure import Failure
from lab.xapi.registry import call
from lab.xapi.values import Int32

SILENT = ("session", "user", "auth", "Diagnostics", "event")  # classes without events
COUNTED_BESIDE = ("vdi_nbd_server_info", "sr_stat", "probe_result", "data_source")  # no objects, but listed
BATCH = 0.05  # seconds in which changes gather after the first one
DAY = 24 * 3600.0


class Subscription(NamedTuple):
    """A class, or one object of it; "*" is everything."""

    cls: str
    ref: str | None

    def matches(self, cls: str, ref: str) -> bool:
        """Whether an object (class in lower case) is subscribed to."""
        return self.cls == "*" or (self.cls == cls and (self.ref is None or self.ref == ref))


class Entry(NamedTuple):
    """A changed object and the generation of the change."""

    generation: int
    cls: str
    ref: str


class Batch(NamedTuple):
    """What a look at the change log gave."""

    created: list[Entry]
    modified: list[Entry]
    deleted: list[Entry]
    messages: list[Entry]

    def __bool__(self) -> bool:
        return any(self[:])


def subscription(text: str) -> Subscription:
    """Read "*", "class" or "class/ref"."""
    cls, _, ref = text.partition("/")
    return Subscription(cls.lower(), ref or None)


def parse_token(token: str) -> tuple[int, int]:
    """The two generations in a token; an empty one is the beginning."""
    if token == "":
        return 0, 0
    try:
        objects, messages = token.split(",")
        return int(objects), int(messages)
    except ValueError:
        raise Failure("EVENT_FROM_TOKEN_PARSE_FAILURE", token) from None


def format_token(objects: int, messages: int) -> str:
    """A token; the zeros make tokens comparable as text."""
    return "%020d,%020d" % (objects, messages)


@call("event.from")
def from_(ctx: Context, classes: list[str], token: str, timeout: float) -> dict[str, Any]:
    """The changes since a token; waits up to ``timeout`` seconds (negative: a day) for the first one."""
    wanted = [subscription(text) for text in classes]
    objects_since, messages_since = parse_token(token)
    deadline = time.monotonic() + (timeout if timeout >= 0 else DAY)
    db = ctx.db
    while True:
        with db.lock:
            if not db.exists("session", ctx.session.ref):
                raise Failure("SESSION_INVALID", ctx.session.ref)
            batch = look(db, wanted, objects_since, messages_since)
            if batch or time.monotonic() >= deadline:
                return _reply(db, batch, objects_since, messages_since)
            db.changed.wait(deadline - time.monotonic())
        time.sleep(max(0.0, min(BATCH, deadline - time.monotonic())))


@call("event.inject")
def inject(ctx: Context, cls: str, ref: str) -> str:
    """Make a change of an object known though there is none; the token from just before it."""
    with ctx.db.lock:
        if ctx.db.class_of(ref) != cls:
            raise Failure("HANDLE_INVALID", cls, ref)
        return format_token(ctx.db.touch(cls, ref) - 1, 0)


def look(db: Database, wanted: list[Subscription], objects_since: int, messages_since: int) -> Batch:
    """Everything subscribed to that changed. Hold the database's lock."""
    batch = Batch([], [], [], [])
    for cls, ref, stamp in db.changes(objects_since):
        if cls not in SILENT and cls != "message" and _wanted(wanted, cls, ref):
            entry = Entry(stamp.modified, cls, ref)
            (batch.created if stamp.created > objects_since else batch.modified).append(entry)
    for ref in db.refs("message"):
        stamp = db.stamp("message", ref)
        if stamp.created > messages_since and _wanted(wanted, "message", ref):
            batch.messages.append(Entry(stamp.created, "message", ref))
    for cls, deletions in db.deletions.items():
        if cls not in SILENT:
            _look_deleted(batch, cls, deletions, wanted, messages_since if cls == "message" else objects_since)
    return batch


def _look_deleted(batch: Batch, cls: str, deletions: Any, wanted: list[Subscription], since: int) -> None:
    for deletion in reversed(deletions):
        if deletion.deleted <= since:
            return
        # From the beginning too, removed objects are reported: a first event.from was seen to do it.
        if (deletion.created <= since or since == 0) and _wanted(wanted, cls, deletion.ref):
            batch.deleted.append(Entry(deletion.deleted, cls, deletion.ref))


def _wanted(wanted: list[Subscription], cls: str, ref: str) -> bool:
    lower = cls.lower()
    return any(one.matches(lower, ref) for one in wanted)


def _reply(db: Database, batch: Batch, objects_since: int, messages_since: int) -> dict[str, Any]:
    objects = [*batch.created, *batch.modified, *(one for one in batch.deleted if one.cls != "message")]
    messages = [*batch.messages, *(one for one in batch.deleted if one.cls == "message")]
    events = [_event(db, entry, "add", "0") for entry in batch.messages]
    events += [_event(db, entry, "add") for entry in batch.created]
    events += [_event(db, entry, "mod") for entry in batch.modified]
    events += [_event(db, entry, "del", "0" if entry.cls == "message" else "") for entry in batch.deleted]
    return {
        "events": events,
        "valid_ref_counts": valid_ref_counts(db),
        "token": format_token(
            max([objects_since, *(entry.generation for entry in objects)]),
            max([messages_since, *(entry.generation for entry in messages)]),
        ),
    }


def _event(db: Database, entry: Entry, operation: str, number: str = "") -> dict[str, Any]:
    event: dict[str, Any] = {
        "id": number or str(entry.generation),
        "timestamp": "0.0",
        "class": entry.cls.lower(),
        "operation": operation,
        "ref": entry.ref,
    }
    if operation != "del":
        event["snapshot"] = db.get(entry.cls, entry.ref)
    return event


def valid_ref_counts(db: Database) -> dict[str, Int32]:
    """How many objects every class has, by lower-case name."""
    counts = {cls.lower(): Int32(db.count(cls)) for cls in db.schema.classes}
    counts.update(dict.fromkeys(COUNTED_BESIDE, Int32(0)))
    # Messages are kept outside xapi's database, which does not count them.
    counts["message"] = Int32(0)
    return counts
