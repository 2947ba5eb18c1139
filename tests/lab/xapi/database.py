"""The pool's object database: typed records, references kept both ways, and the change log behind events.

Stored values are never changed in place: a change replaces them. So a record handed out is a cheap shallow
copy that nobody may modify, and a snapshot for the disk costs no deep copy.
"""

import threading
import uuid as uuids
from collections import OrderedDict, deque
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from lab.xapi.failure import Failure
from lab.xapi.schema import Class, Schema
from lab.xapi.values import NULL

Record = dict[str, Any]
INDEXED = {"VDI": ("location",)}  # fields, beside references, by which objects are found without a walk
DELETIONS_KEPT = 512  # deleted objects remembered in each class, as in xapi; event.from forgets older ones


class Stamp(NamedTuple):
    """When an object was made and last changed, in generations."""

    created: int
    modified: int


class Deletion(NamedTuple):
    """An object that is gone: when it had been made, and when it went."""

    created: int
    deleted: int
    ref: str


def new_ref() -> str:
    """A fresh opaque reference."""
    return "OpaqueRef:%s" % uuids.uuid4()


class Database:
    """All objects of the pool, safe for threads; every change counts the generation up by one."""

    def __init__(self, schema: Schema) -> None:
        self.schema = schema
        self.lock = threading.RLock()
        self.changed = threading.Condition(self.lock)
        self.generation = 1
        self.deletions: dict[str, deque[Deletion]] = {name: deque(maxlen=DELETIONS_KEPT) for name in schema.classes}
        self._tables: dict[str, dict[str, Record]] = {name: {} for name in schema.classes}
        self._uuids: dict[str, dict[str, str]] = {name: {} for name in schema.classes}
        # (parent class, parent's field) -> parent -> its referrers, in order of arrival
        self._referrers: dict[tuple[str, str], dict[str, dict[str, None]]] = {
            (relation.parent, relation.parent_field): {} for cls in schema.classes.values() for relation in cls.children
        }
        self._indexes: dict[tuple[str, str], dict[Any, dict[str, None]]] = {
            (cls, name): {} for cls, names in INDEXED.items() for name in names
        }
        self._stamps: OrderedDict[tuple[str, str], Stamp] = OrderedDict()  # latest change last

    # reading ---------------------------------------------------------------------------------------------

    def get(self, cls: str, ref: str) -> Record:
        """The record of an object as clients see it, not to be changed. Raises HANDLE_INVALID."""
        with self.lock:
            return self._view(self.schema.classes[cls], ref, self._row(cls, ref))

    def field(self, cls: str, ref: str, name: str) -> Any:
        """One field of an object, internal ones included. Raises HANDLE_INVALID."""
        with self.lock:
            row = self._row(cls, ref)
            referrers = self._referrers.get((cls, name))
            return row[name] if referrers is None else list(referrers.get(ref, ()))

    def exists(self, cls: str, ref: str) -> bool:
        """Whether there is such an object."""
        return ref in self._tables[cls]

    def class_of(self, ref: str) -> str | None:
        """The class that holds this reference."""
        return next((cls for cls, table in self._tables.items() if ref in table), None)

    def refs(self, cls: str) -> list[str]:
        """All objects of a class."""
        with self.lock:
            return list(self._tables[cls])

    def count(self, cls: str) -> int:
        """How many objects a class has."""
        return len(self._tables[cls])

    def records(self, cls: str) -> dict[str, Record]:
        """All objects of a class with their records."""
        with self.lock:
            definition = self.schema.classes[cls]
            return {ref: self._view(definition, ref, row) for ref, row in self._tables[cls].items()}

    def where(self, cls: str, /, **equals: Any) -> dict[str, Record]:
        """The objects whose fields have exactly these values."""
        with self.lock:
            definition = self.schema.classes[cls]
            return {
                ref: self._view(definition, ref, row)
                for ref, row in self._candidates(definition, equals)
                if all(row[name] == value for name, value in equals.items())
            }

    def by_uuid(self, cls: str, uuid: str) -> str:
        """The object with this UUID. Raises UUID_INVALID."""
        try:
            return self._uuids[cls][uuid]
        except KeyError:
            raise Failure("UUID_INVALID", cls, uuid) from None

    # changing --------------------------------------------------------------------------------------------

    def create(self, cls: str, /, *, ref: str | None = None, **fields: Any) -> str:
        """Make an object from these fields and the class's defaults (a fresh uuid too); its reference."""
        definition = self.schema.classes[cls]
        row = {
            field.name: fields.pop(field.name) if field.name in fields else self.schema.initial(field)
            for field in definition.fields.values()
        }
        if fields:
            raise KeyError("%s has no fields %s" % (cls, ", ".join(sorted(fields))))
        if "uuid" in row and not row["uuid"]:
            row["uuid"] = str(uuids.uuid4())
        with self.lock:
            return self._insert(definition, ref or new_ref(), row)

    def set(self, cls: str, ref: str, /, **fields: Any) -> None:
        """Change fields of an object as one change. Raises HANDLE_INVALID."""
        with self.lock:
            row = self._row(cls, ref)
            unknown = set(fields) - set(row)
            if unknown:
                raise KeyError("%s has no fields %s" % (cls, ", ".join(sorted(unknown))))
            parents = [r for r in self.schema.classes[cls].parents if r.child_field in fields]
            for relation in parents:
                self._unlink(relation.parent, relation.parent_field, row[relation.child_field], ref)
            if "uuid" in fields:
                del self._uuids[cls][row["uuid"]]
                self._uuids[cls][fields["uuid"]] = ref
            self._unindex(cls, ref, row)
            row.update(fields)
            self._index(cls, ref, row)
            for relation in parents:
                self._link(relation.parent, relation.parent_field, row[relation.child_field], ref)
            self._touch(cls, ref)
            self._advance()

    def update(self, cls: str, ref: str, name: str, change: Callable[[Any], Any]) -> None:
        """Replace one field by ``change`` of its value, with nobody in between."""
        with self.lock:
            self.set(cls, ref, **{name: change(self._row(cls, ref)[name])})

    def delete(self, cls: str, ref: str) -> None:
        """Remove an object. References to it stay as they are, as in xapi. Raises HANDLE_INVALID."""
        with self.lock:
            row = self._row(cls, ref)
            definition = self.schema.classes[cls]
            for relation in definition.parents:
                self._unlink(relation.parent, relation.parent_field, row[relation.child_field], ref)
            self._unindex(cls, ref, row)
            del self._tables[cls][ref]
            self._uuids[cls].pop(row.get("uuid", ""), None)
            stamp = self._stamps.pop((cls, ref))
            self.deletions[cls].append(Deletion(stamp.created, self.generation, ref))
            self._advance()

    def touch(self, cls: str, ref: str) -> int:
        """Count an object as changed; the generation of that change."""
        with self.lock:
            self._row(cls, ref)
            generation = self.generation
            self._touch(cls, ref)
            self.generation += 1  # twice, so that the token made of it is older than any later one
            self._advance()
            return generation

    # the change log --------------------------------------------------------------------------------------

    def changes(self, since: int) -> Iterator[tuple[str, str, Stamp]]:
        """Objects made or changed after a generation, latest first. Hold ``lock`` while iterating."""
        for (cls, ref), stamp in reversed(self._stamps.items()):
            if stamp.modified <= since:
                return
            yield cls, ref, stamp

    def stamp(self, cls: str, ref: str) -> Stamp:
        """When an object was made and last changed. Raises HANDLE_INVALID."""
        with self.lock:
            self._row(cls, ref)
            return self._stamps[cls, ref]

    def raw(self) -> dict[str, dict[str, Record]]:
        """All rows, copied one level deep: enough because values are never changed in place."""
        with self.lock:
            return {cls: {ref: dict(row) for ref, row in table.items()} for cls, table in self._tables.items() if table}

    def load(self, tables: dict[str, dict[str, Record]]) -> None:
        """Insert rows as ``raw`` gave them."""
        for cls, table in tables.items():
            for ref, row in table.items():
                self.create(cls, ref=ref, **row)

    # inside ----------------------------------------------------------------------------------------------

    def _row(self, cls: str, ref: str) -> Record:
        try:
            return self._tables[cls][ref]
        except KeyError:
            raise Failure("HANDLE_INVALID", cls, ref) from None

    def _view(self, cls: Class, ref: str, row: Record) -> Record:
        record = row.copy()
        for relation in cls.children:
            record[relation.parent_field] = list(self._referrers[cls.name, relation.parent_field].get(ref, ()))
        if cls.has_internal:
            return {name: value for name, value in record.items() if cls.fields[name].kind != "internal"}
        return record

    def _candidates(self, cls: Class, equals: Record) -> list[tuple[str, Record]]:
        table = self._tables[cls.name]
        for name in INDEXED.get(cls.name, ()):
            if name in equals:
                return [(ref, table[ref]) for ref in self._indexes[cls.name, name].get(equals[name], ())]
        for relation in cls.parents:
            wanted = equals.get(relation.child_field)
            if wanted is not None and wanted != NULL:
                referrers = self._referrers[relation.parent, relation.parent_field].get(wanted, {})
                return [(ref, table[ref]) for ref in referrers]
        return list(table.items())

    def _insert(self, cls: Class, ref: str, row: Record) -> str:
        if "uuid" in row:
            if row["uuid"] in self._uuids[cls.name]:
                raise Failure("UNIQUENESS_CONSTRAINT_VIOLATION", cls.name, "uuid", row["uuid"])
            self._uuids[cls.name][row["uuid"]] = ref
        self._tables[cls.name][ref] = row
        self._index(cls.name, ref, row)
        for relation in cls.parents:
            self._link(relation.parent, relation.parent_field, row[relation.child_field], ref)
        self._stamps[cls.name, ref] = Stamp(self.generation, self.generation)
        self._advance()
        return ref

    def _index(self, cls: str, ref: str, row: Record) -> None:
        for name in INDEXED.get(cls, ()):
            self._indexes[cls, name].setdefault(row[name], {})[ref] = None

    def _unindex(self, cls: str, ref: str, row: Record) -> None:
        for name in INDEXED.get(cls, ()):
            found = self._indexes[cls, name][row[name]]
            del found[ref]
            if not found:
                del self._indexes[cls, name][row[name]]

    def _link(self, parent_cls: str, parent_field: str, parent: str, ref: str) -> None:
        if parent == NULL:
            return
        self._referrers[parent_cls, parent_field].setdefault(parent, {})[ref] = None
        if parent in self._tables[parent_cls]:
            self._touch(parent_cls, parent)

    def _unlink(self, parent_cls: str, parent_field: str, parent: str, ref: str) -> None:
        self._referrers[parent_cls, parent_field].get(parent, {}).pop(ref, None)
        if parent in self._tables[parent_cls]:
            self._touch(parent_cls, parent)

    def _touch(self, cls: str, ref: str) -> None:
        key = (cls, ref)
        self._stamps[key] = Stamp(self._stamps[key].created, self.generation)
        self._stamps.move_to_end(key)

    def _advance(self) -> None:
        self.generation += 1
        self.changed.notify_all()
