"""Objects seen through their fields: text of a field, filters, and how a field is changed."""

from collections.abc import Sequence
from typing import Any, Optional

from lab.xe.client import ABSENT, NULL, Client
from lab.xe.cmdline import FALSE, TRUE, CliFailure
from lab.xe.fields import API_CLASS, Field, fields_of

# The class that a field's references belong to; the field's name in the API decides.
REFERS = {
    "SR": "SR",
    "VDI": "VDI",
    "VM": "VM",
    "PBDs": "PBD",
    "VBDs": "VBD",
    "VDIs": "VDI",
    "VIFs": "VIF",
    "PIFs": "PIF",
    "VTPMs": "VTPM",
    "VMs": "VM",
    "children": "VM",
    "parent": "VM",
    "resident_VMs": "VM",
    "control_domain": "VM",
    "host": "host",
    "master": "host",
    "resident_on": "host",
    "affinity": "host",
    "network": "network",
    "consoles": "console",
    "default_SR": "SR",
    "crash_dump_SR": "SR",
    "suspend_image_SR": "SR",
    "suspend_image_sr": "SR",
    "crash_dump_sr": "SR",
    "local_cache_sr": "SR",
    "suspend_VDI": "VDI",
    "suspend_SR": "SR",
    "subtask_of": "task",
    "subtasks": "task",
    "metadata_of_pool": "pool",
}

STORAGE_OPERATIONS = {"vdi_": "VDI.", "pbd_": "PBD."}


class UnknownField(Exception):
    """A class has no field of this name."""


class Thing:
    """One object: its reference, its record, and its fields by the names of the command line."""

    def __init__(self, client: Client, kind: str, ref: str, record: dict[str, Any]) -> None:
        self.client = client
        self.kind = kind
        self.ref = ref
        self.record = record
        self.fields = [field for field in fields_of(kind) if field.api in record]

    @property
    def cls(self) -> str:
        """Its class in the API."""
        return API_CLASS[self.kind]

    def field(self, name: str) -> Field:
        """The field of this name; raises UnknownField."""
        for field in self.fields:
            if field.name == name:
                return field
        raise UnknownField(name)

    def text(self, field: Field) -> str:
        """The value of a field as one line."""
        value = self.record[field.api]
        if "S" in field.flags:
            return self._host_of_storage(value)
        if isinstance(value, dict):
            return "; ".join(self._map_entry(field, key, str(item)) for key, item in value.items())
        if isinstance(value, list):
            return (", " if "c" in field.flags else "; ").join(self.members(field))
        return self._scalar(field, value)

    def members(self, field: Field) -> list[str]:
        """The members of a set, or the values of a map of operations."""
        value = self.record[field.api]
        items = value.values() if isinstance(value, dict) else value
        return [self._scalar(field, item) for item in items]

    def mapping(self, field: Field) -> dict[str, str]:
        """The entries of a map."""
        return {key: str(value) for key, value in self.record[field.api].items()}

    def _map_entry(self, field: Field, key: str, value: str) -> str:
        if field.api in ("current_operations",):
            return self._scalar(field, value)
        return f"{key}: {value}"

    def _scalar(self, field: Field, value: Any) -> str:
        if isinstance(value, bool):
            return str(value).lower()
        if isinstance(value, float):
            return f"{value:.3f}"
        text = str(value)
        if text.startswith("OpaqueRef:"):
            return self._reference(field, text)
        if "l" in field.flags:
            return text[:1].lower() + text[1:]
        if "u" in field.flags:
            return text[:1].upper() + text[1:]
        if "o" in field.flags:
            return storage_operation(text)
        return text

    def _reference(self, field: Field, ref: str) -> str:
        cls = REFERS.get(field.api, self.cls)
        if ref == NULL or (field.api == "parent" and self.cls != "VM"):
            return ABSENT
        return self.client.name(cls, ref) if "n" in field.flags else self.client.uuid(cls, ref)

    def _host_of_storage(self, pbds: Sequence[str]) -> str:
        if len(pbds) > 1:
            return "<shared>"
        found = self.client.record("PBD", pbds[0]) if pbds else None
        return self.client.name("host", found["host"]) if found else ABSENT

    def kind_of(self, name: str) -> tuple[Field, Optional[str]]:
        """The field that a parameter means, and the key inside it for ``field:key`` (or ``field-key``).

        Raises CliFailure when there is none.
        """
        for field in self.fields:
            if field.name == name:
                return field, None
        start, colon, key = name.partition(":")
        if not colon:
            return self._old_form(name)
        for field in self.fields:
            if field.name == start:
                if not set(field.flags) & set("sm"):
                    raise CliFailure(f"Field '{start}' is not a set or map")
                return field, key
        raise CliFailure(f"Unknown field '{name}'")

    def _old_form(self, name: str) -> tuple[Field, str]:
        for flag in "ms":
            fields = [field for field in self.fields if flag in field.flags]
            for field in sorted(fields, key=lambda field: -len(field.name)):
                if name.startswith(field.name + "-"):
                    return field, name[len(field.name) + 1 :]
        raise CliFailure(f"Unknown field '{name}'")

    def typed(self, field: Field, text: str) -> Any:
        """Text as a value of the field's type; raises CliFailure."""
        old = self.record[field.api]
        if isinstance(old, bool):
            if text.lower() not in TRUE + FALSE:
                raise CliFailure(f"Parameter {field.name} must be a boolean (true or false)")
            return text.lower() in TRUE
        if isinstance(old, float):
            return _number(float, field, text, "a floating-point number")
        if isinstance(old, list):
            return [part for part in text.split(",") if part]
        if isinstance(old, str) and old.startswith("OpaqueRef:"):
            cls = REFERS[field.api]
            return self.client.call(cls + ".get_by_uuid", text) if text not in ("", "null") else NULL
        return text


def _number(convert: Any, field: Field, text: str, what: str) -> Any:
    try:
        return convert(text)
    except ValueError:
        raise CliFailure(f"Parameter {field.name} must be {what}") from None


def storage_operation(name: str) -> str:
    """An operation on a storage repository as the command line names it."""
    for start, shown in STORAGE_OPERATIONS.items():
        if name.startswith(start):
            return shown + name[len(start) :]
    return name


def all_things(client: Client, kind: str) -> list[Thing]:
    """Every object of a class."""
    records = client.call(API_CLASS[kind] + ".get_all_records")
    return [Thing(client, kind, ref, record) for ref, record in records.items()]


def one_thing(client: Client, kind: str, uuid: str) -> Thing:
    """The object with this UUID."""
    ref = client.call(API_CLASS[kind] + ".get_by_uuid", uuid)
    return Thing(client, kind, ref, client.call(API_CLASS[kind] + ".get_record", ref))


def filtered(things: list[Thing], filters: Sequence[tuple[str, str]]) -> list[Thing]:
    """The objects whose fields have the given values; raises CliFailure for a field that is not there."""
    for name, value in filters:
        if not things:
            return []
        field, key = things[0].kind_of(name)
        if key is not None and "s" in field.flags and key != "contains":
            raise CliFailure("Invalid syntax for set filtering (should be set-param:contains=key)")
        things = [thing for thing in things if _matches(thing, field, key, value)]
    return things


def _matches(thing: Thing, field: Field, key: Optional[str], value: str) -> bool:
    if key is None:
        return thing.text(field) == value
    if "m" in field.flags:
        return thing.mapping(field).get(key) == value
    return value in thing.members(field)
