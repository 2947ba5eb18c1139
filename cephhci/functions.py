"""The functions of the plugin: what each takes, how it is checked, and its help; pure.

One table serves the checking of arguments, the help and the documentation, so they cannot disagree.
"""

from typing import Dict, List, Mapping, NamedTuple, Tuple

from cephhci.errors import InvalidArgument, MissingArgument


class Argument(NamedTuple):
    """An argument; a ``default`` of None means that it must be given. Empty ``choices`` allow any text."""

    name: str
    meaning: str
    default: str
    choices: Tuple[str, ...]


class Function(NamedTuple):
    """A function by the name that `xe host-call-plugin fn=` uses."""

    name: str
    summary: str
    arguments: Tuple[Argument, ...]


FORMAT = Argument("format", "json, or text for a person", "json", ("json", "text"))
FUNCTIONS = (
    Function("help", "the functions and their arguments", (FORMAT,)),
    Function("version", "versions of this package and of what it stands on, on this host", (FORMAT,)),
    Function("status", "the pool, the Ceph clusters it uses and their SRs", (FORMAT,)),
    Function("preflight", "whether every host of the pool is ready, with the way out where it is not", (FORMAT,)),
    Function("host-facts", "what preflight asks every host", (FORMAT,)),
)


def find(name: str) -> Function:
    """The function of that name; raises InvalidArgument."""
    for function in FUNCTIONS:
        if function.name == name:
            return function
    raise InvalidArgument(name="fn", reason="there is no function %s" % ascii(name), way_out="See fn=help")


def check(function: Function, given: Mapping[str, str]) -> Dict[str, str]:
    """The arguments with their defaults; raises InvalidArgument, which names the argument."""
    known = {argument.name: argument for argument in function.arguments}
    for name in sorted(given):
        if name not in known:
            raise InvalidArgument(
                name="args:%s" % ascii(name).strip("'"),
                reason="%s has no such argument" % function.name,
                way_out="It has: %s" % (", ".join(known) or "none"),
            )
    return {name: _value(argument, given) for name, argument in known.items()}


def _value(argument: Argument, given: Mapping[str, str]) -> str:
    value = given.get(argument.name, argument.default)
    if value is None:
        raise MissingArgument(
            name="args:%s" % argument.name, reason="it is missing", way_out="Give %s" % argument.meaning
        )
    if argument.choices and value not in argument.choices:
        raise InvalidArgument(
            name="args:%s" % argument.name,
            reason="%s is none of its values" % ascii(value),
            way_out="Values: %s" % ", ".join(argument.choices),
        )
    return value


def described() -> List[Dict[str, object]]:
    """The table as data for JSON."""
    return [
        {
            "function": function.name,
            "summary": function.summary,
            "arguments": [
                {
                    "name": argument.name,
                    "meaning": argument.meaning,
                    "default": argument.default,
                    "values": list(argument.choices),
                }
                for argument in function.arguments
            ],
        }
        for function in FUNCTIONS
    ]


def help_text() -> str:
    """The table for a person."""
    lines = ["xe host-call-plugin host-uuid=HOST plugin=hci fn=FUNCTION [args:NAME=VALUE ...]", ""]
    for function in FUNCTIONS:
        lines.append("%-12s %s" % (function.name, function.summary))
        for argument in function.arguments:
            given = "required" if argument.default is None else "default %s" % argument.default
            lines.append("%14s%s: %s (%s)" % ("", argument.name, argument.meaning, given))
    return "\n".join(lines)
