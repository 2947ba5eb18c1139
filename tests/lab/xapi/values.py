"""The API's types: converting arguments as xapi unmarshals them, defaults, and the printed forms it uses.

A type is the text that the recorded datamodel gives it: ``string``, ``int``, ``VDI ref``, ``string set``,
``(string -> string) map``, ``enum vdi_type``, ``VDI record``. Values are plain Python: int, float, bool, str,
list, dict; a date is a ``Date`` (a str, so that JSON needs no care and XML-RPC can tell it apart).
"""

import functools
import time
from collections.abc import Callable
from typing import Any

from lab.xapi.failure import marshalling

Converter = Callable[[Any], Any]

NULL = "OpaqueRef:NULL"


class Date(str):
    """A UTC moment in the API's form, for example 20261122T08:09:10Z."""

    __slots__ = ()


class Int32(int):
    """A small integer, which XML-RPC carries as <i4> (xapi's 64-bit ones travel as strings)."""

    __slots__ = ()


EPOCH = Date("19700101T00:00:00Z")


def now() -> Date:
    """This moment, in whole seconds as xapi keeps them."""
    return Date(time.strftime("%Y%m%dT%H:%M:%SZ", time.gmtime()))


def printed(value: Any) -> str:
    """A wire value as OCaml's rpc library prints it in its messages."""
    if value is None:
        return "N"
    if isinstance(value, bool):
        return "B(%s)" % str(value).lower()
    if isinstance(value, int):
        return "I(%d)" % value
    if isinstance(value, float):
        return "F(%g)" % value
    if isinstance(value, Date):
        return "D(%s)" % value
    if isinstance(value, str):
        return "S(%s)" % value
    if isinstance(value, dict):
        return "{%s}" % ";".join("%s:%s" % (key, printed(item)) for key, item in value.items())
    return "[%s]" % ";".join(printed(item) for item in value)


def _string(value: Any) -> str:
    if isinstance(value, str):
        return value
    raise marshalling("Expected string, got '%s'" % printed(value))


def _int(value: Any) -> int:
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    if isinstance(value, str) and not isinstance(value, Date):
        try:
            return int(value, 0)
        except ValueError:
            raise marshalling("Int64.of_string") from None
    raise marshalling("Expected int64, got '%s'" % printed(value))


def _float(value: Any) -> float:
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return float(value)
    if isinstance(value, str):
        try:
            return float(value)
        except ValueError:
            raise marshalling("float_of_string") from None
    raise marshalling("Expected float, got '%s'" % printed(value))


def _bool(value: Any) -> bool:
    if isinstance(value, bool):
        return value
    raise marshalling("Expected bool, got '%s'" % printed(value))


def _date(value: Any) -> Date:
    # JSON has no dates, so a string is taken for one.
    if isinstance(value, str):
        return Date(value)
    raise marshalling("Expected DateTime, got '%s'" % printed(value))


def _anything(value: Any) -> Any:
    return value


_SCALARS: dict[str, Converter] = {
    "string": _string,
    "int": _int,
    "float": _float,
    "bool": _bool,
    "datetime": _date,
}


@functools.cache
def converter(type_name: str) -> Converter:
    """A function that turns a wire value into this type; it raises INTERNAL_ERROR as xapi does."""
    scalar = _SCALARS.get(type_name)
    if scalar is not None:
        return scalar
    if type_name.endswith(" set"):
        return _set_of(converter(type_name[:-4]))
    if type_name.endswith(" map"):
        key, value = type_name[1:-5].split(" -> ", 1)
        return _map_of(converter(key), converter(value))
    if type_name.endswith(" ref") or type_name.startswith("enum "):
        return _string
    return _anything


def _set_of(item: Converter) -> Converter:
    def convert(value: Any) -> list[Any]:
        if isinstance(value, (list, tuple)):
            return [item(one) for one in value]
        raise marshalling("Expected list, got '%s'" % printed(value))

    return convert


def _map_of(key: Converter, item: Converter) -> Converter:
    def convert(value: Any) -> dict[str, Any]:
        if not isinstance(value, dict):
            raise marshalling("Expected dict, got '%s'" % printed(value))
        for name in value:
            key(name)  # keys stay text on the wire, but have to read as their type
        return {str(name): item(one) for name, one in value.items()}

    return convert


def empty(type_name: str) -> Any:
    """The value of a field nobody has set."""
    if type_name.endswith(" set"):
        return []
    if type_name.endswith(" map"):
        return {}
    if type_name.endswith(" ref"):
        return NULL
    return {"int": 0, "float": 0.0, "bool": False, "datetime": EPOCH}.get(type_name, "")


def column_text(value: Any) -> str:
    """A field as the database keeps it in text: what a query's ``field "x" = "..."`` is compared with."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, dict):
        return "(%s)" % " ".join(
            "('%s' '%s')" % (_escaped(key), _escaped(column_text(item))) for key, item in value.items()
        )
    if isinstance(value, list):
        return "(%s)" % " ".join("'%s'" % _escaped(column_text(item)) for item in value)
    return str(value)


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace("'", "\\'")
