"""The methods that need no code of their own: getters, setters, records and look-ups of every class.

Only methods that xapi lists come into being, and a setter only for a field that clients may write or that
xapi's own setter does nothing more than store.
"""

from collections.abc import Callable, Iterator
from typing import Any

from lab.xapi import query
from lab.xapi.context import Context
from lab.xapi.failure import Failure
from lab.xapi.registry import Handler
from lab.xapi.schema import Class, Field, Method, Schema

# Setters of fields that belong to the storage driver: only its own sessions may call them.
DRIVER_FIELDS = {
    "VDI": (
        "sharable managed read_only missing virtual_size physical_utilisation is_a_snapshot snapshot_of "
        "snapshot_time metadata_of_pool cbt_enabled"
    ).split(),
    "SR": "virtual_allocation physical_size physical_utilisation".split(),
}


def handlers(schema: Schema) -> Iterator[tuple[str, Handler]]:
    """Every generic method with its implementation."""
    for method in schema.methods.values():
        handler = _class_wide(method) or _of_a_field(schema.classes[method.cls], method)
        if handler is not None:
            yield method.name, handler


def _class_wide(method: Method) -> Handler | None:
    cls = method.cls
    if method.verb == "get_all":
        return lambda ctx: ctx.db.refs(cls)
    if method.verb == "get_all_records":
        return lambda ctx: ctx.db.records(cls)
    if method.verb == "get_record":
        return lambda ctx, ref: ctx.db.get(cls, ref)
    if method.verb == "get_by_uuid":
        return lambda ctx, uuid: ctx.db.by_uuid(cls, uuid)
    if method.verb == "get_by_name_label":
        return lambda ctx, label: list(ctx.db.where(cls, name_label=label))
    if method.verb == "get_all_records_where":
        return lambda ctx, expression: query.select(ctx.db, cls, expression)
    if method.verb == "get_all_where":
        return lambda ctx, expression: list(query.select(ctx.db, cls, expression))
    return None


def _of_a_field(cls: Class, method: Method) -> Handler | None:
    for prefix, make in _FIELD_METHODS.items():
        field = cls.fields.get(method.verb[len(prefix) :])
        if method.verb.startswith(prefix) and field is not None:
            return make(cls.name, field)
    return None


def _getter(cls: str, field: Field) -> Handler:
    name = field.name
    return lambda ctx, ref: ctx.db.field(cls, ref, name)


def _setter(cls: str, field: Field) -> Handler | None:
    name = field.name
    if name in DRIVER_FIELDS.get(cls, ()):
        return _driver_setter(cls, name)
    if field.kind != "RW":
        return None

    def set_field(ctx: Context, ref: str, value: Any) -> None:
        ctx.db.set(cls, ref, **{name: value})

    return set_field


def _driver_setter(cls: str, name: str) -> Handler:
    def set_field(ctx: Context, ref: str, value: Any) -> None:
        ctx.require_sm_access(ref if cls == "SR" else ctx.db.field(cls, ref, "SR"))
        ctx.db.set(cls, ref, **{name: value})

    return set_field


def _adder(cls: str, field: Field) -> Handler | None:
    name = field.name
    if field.type.endswith(" map"):

        def add_to_map(ctx: Context, ref: str, key: str, value: Any) -> None:
            def add(old: dict[str, Any]) -> dict[str, Any]:
                if key in old:
                    raise Failure("MAP_DUPLICATE_KEY", cls, name, ref, key)
                return {**old, key: value}

            ctx.db.update(cls, ref, name, add)

        return add_to_map
    return None


def _remover(cls: str, field: Field) -> Handler | None:
    name = field.name
    if field.type.endswith(" map"):

        def remove_from_map(ctx: Context, ref: str, key: str) -> None:
            ctx.db.update(cls, ref, name, lambda old: {k: v for k, v in old.items() if k != key})

        return remove_from_map
    return None


def _set_adder(cls: str, field: Field) -> Handler | None:
    name = field.name
    if not field.type.endswith(" set") or field.type.endswith(" ref set"):
        return None

    def add(ctx: Context, ref: str, value: Any) -> None:
        ctx.db.update(cls, ref, name, lambda old: old if value in old else [value, *old])

    return add


def _set_remover(cls: str, field: Field) -> Handler | None:
    name = field.name
    if not field.type.endswith(" set") or field.type.endswith(" ref set"):
        return None

    def remove(ctx: Context, ref: str, value: Any) -> None:
        ctx.db.update(cls, ref, name, lambda old: [item for item in old if item != value])

    return remove


_FIELD_METHODS: dict[str, Callable[[str, Field], Handler | None]] = {
    "get_": _getter,
    "set_": _setter,
    "add_to_": _adder,
    "remove_from_": _remover,
    "add_": _set_adder,
    "remove_": _set_remover,
}
