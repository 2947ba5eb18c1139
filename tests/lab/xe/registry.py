"""The verbs that act, with the parameters they need."""

from collections.abc import Callable
from typing import NamedTuple

from lab.xe.client import Client
from lab.xe.cmdline import Command
from lab.xe.printer import Printer

Action = Callable[[Client, Command, Printer], None]


class Verb(NamedTuple):
    """What a verb does and which parameters must be given."""

    action: Action
    required: tuple[str, ...]


VERBS: dict[str, Verb] = {}


def verb(name: str, *required: str) -> Callable[[Action], Action]:
    """Declare the function that carries out a verb."""

    def declare(action: Action) -> Action:
        VERBS[name] = Verb(action, required)
        return action

    return declare


def simple(name: str, method: str) -> None:
    """Declare a verb that calls one method on the object given by ``uuid`` and prints nothing."""
    cls = method.split(".", 1)[0]

    def action(client: Client, command: Command, _: Printer) -> None:
        client.call(method, client.call(cls + ".get_by_uuid", command.required("uuid")))

    VERBS[name] = Verb(action, ("uuid",))
