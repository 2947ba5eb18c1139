"""What every class can do: ``CLASS-list`` and ``CLASS-param-list/get/set/add/remove/clear``."""

from collections.abc import Callable

from lab.xe.client import Client
from lab.xe.cmdline import CliFailure, Command
from lab.xe.fields import ALWAYS, API_CLASS, LISTED, Field
from lab.xe.objects import Thing, all_things, filtered, one_thing
from lab.xe.printer import Printer

Action = Callable[[Client, Command, Printer, str], None]


def _shown(thing: Thing, fields: list[Field]) -> list[tuple[str, str]]:
    return [(field.name + field.mark, thing.text(field)) for field in fields if "h" not in field.flags]


def list_all(client: Client, command: Command, printer: Printer, kind: str) -> None:
    """Objects that match all filters, with the fields asked for, in the order of the class."""
    filters = [*ALWAYS.get(kind, []), *command.others("params")]
    filters = [(name, value) for name, value in filters if not name.startswith("database:")]
    things = filtered(all_things(client, kind), filters)
    wanted = command.text("params", LISTED.get(kind, "").replace(" ", ",")).split(",")
    everything = wanted in (["all"], [""])
    printer.table(
        [_shown(thing, [f for f in thing.fields if everything or f.name in wanted]) for thing in things],
    )


def list_params(client: Client, command: Command, printer: Printer, kind: str) -> None:
    """All fields of one object."""
    thing = one_thing(client, kind, command.required("uuid"))
    printer.table([_shown(thing, thing.fields)])


def get(client: Client, command: Command, printer: Printer, kind: str) -> None:
    """One field, or one entry of a map."""
    thing = one_thing(client, kind, command.required("uuid"))
    field = thing.field(command.required("param-name"))
    key = command.find("param-key")
    if key is None or "m" not in field.flags:
        printer.lines([thing.text(field)])
        return
    entries = thing.mapping(field)
    if key not in entries:
        raise CliFailure(f"Key {key} not found in map")
    printer.lines([entries[key]])


def set_all(client: Client, command: Command, _: Printer, kind: str) -> None:
    """Set every field given, in the order given."""
    thing = one_thing(client, kind, command.required("uuid"))
    for name, value in command.others("uuid"):
        field, key = thing.kind_of(name)
        if key is None:
            _set_whole(client, thing, field, value)
        elif "m" in field.flags:
            _set_entry(client, thing, field, key, value)
        else:
            raise CliFailure("Cannot param-set on set fields")


def _set_whole(client: Client, thing: Thing, field: Field, value: str) -> None:
    if "w" not in field.flags:
        if "A" in field.flags:
            raise CliFailure(f"Field '{field.name}' is a map or set. use the 'name:key=value' syntax.")
        raise CliFailure(f"Field '{field.name}' is read-only.")
    client.call(f"{thing.cls}.set_{field.api}", thing.ref, thing.typed(field, value))


def _set_entry(client: Client, thing: Thing, field: Field, key: str, value: str) -> None:
    if "A" not in field.flags:
        raise CliFailure(f"Map field '{field.name}' is read-only.")
    if key in thing.mapping(field):
        client.call(f"{thing.cls}.remove_from_{field.api}", thing.ref, key)
    client.call(f"{thing.cls}.add_to_{field.api}", thing.ref, key, value)


def add(client: Client, command: Command, _: Printer, kind: str) -> None:
    """Add a member to a set, or entries to a map."""
    thing = one_thing(client, kind, command.required("uuid"))
    field = thing.field(command.required("param-name"))
    if "a" in field.flags:
        key = command.find("param-key")
        if key is None:
            raise CliFailure(
                "When adding a key to a set, use the syntax: *-param-add param-name=<name> param-key=<key>"
            )
        client.call(f"{thing.cls}.add_{field.api}", thing.ref, key)
    elif "A" in field.flags:
        for name, value in command.others("uuid", "param-name", "param-key"):
            client.call(f"{thing.cls}.add_to_{field.api}", thing.ref, name, value)
    elif set(field.flags) & set("sm"):
        raise CliFailure("Parameter is read-only")
    else:
        raise CliFailure("Can only add to parameters of type Set or Map")


def remove(client: Client, command: Command, _: Printer, kind: str) -> None:
    """Remove a member of a set, or an entry of a map."""
    thing = one_thing(client, kind, command.required("uuid"))
    field = thing.field(command.required("param-name"))
    key = command.required("param-key")
    if not set(field.flags) & set("sm"):
        raise CliFailure("Can only remove from parameters of type Set or Map")
    if not set(field.flags) & set("aA"):
        raise CliFailure("Cannot remove parameters from read-only map")
    if "a" in field.flags:
        if key not in thing.members(field):
            raise CliFailure(f"Key {key} is not in the set")
        client.call(f"{thing.cls}.remove_{field.api}", thing.ref, key)
        return
    if key not in thing.mapping(field):
        raise CliFailure(f"Key {key} is not in map")
    client.call(f"{thing.cls}.remove_from_{field.api}", thing.ref, key)


def clear(client: Client, command: Command, _: Printer, kind: str) -> None:
    """Empty a set, a map or a text."""
    thing = one_thing(client, kind, command.required("uuid"))
    field = thing.field(command.required("param-name"))
    if "a" in field.flags:
        for member in thing.members(field):
            client.call(f"{thing.cls}.remove_{field.api}", thing.ref, member)
    elif "A" in field.flags:
        for key in thing.mapping(field):
            client.call(f"{thing.cls}.remove_from_{field.api}", thing.ref, key)
    elif "w" in field.flags:
        client.call(f"{thing.cls}.set_{field.api}", thing.ref, thing.typed(field, ""))
    else:
        raise CliFailure("Can only clear RW parameters")


VERBS: dict[str, tuple[Action, tuple[str, ...]]] = {
    "list": (list_all, ()),
    "param-list": (list_params, ("uuid",)),
    "param-get": (get, ("uuid", "param-name")),
    "param-set": (set_all, ("uuid",)),
    "param-add": (add, ("uuid", "param-name")),
    "param-remove": (remove, ("uuid", "param-name", "param-key")),
    "param-clear": (clear, ("uuid", "param-name")),
}


def find(verb: str) -> tuple[str, Action, tuple[str, ...]] | None:
    """The class, action and required parameters of a generic verb such as ``sr-param-get``."""
    for kind in API_CLASS:
        if verb.startswith(kind + "-") and verb[len(kind) + 1 :] in VERBS:
            action, required = VERBS[verb[len(kind) + 1 :]]
            return kind, action, required
    return None
