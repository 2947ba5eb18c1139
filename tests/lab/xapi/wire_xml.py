"""XML-RPC as xapi speaks it with clients: integers as strings, <i4> read too, no white space between tags."""

import re
import xml.etree.ElementTree as ElementTree
from typing import Any

from lab.xapi.failure import Failure
from lab.xapi.values import Date, Int32

HEADER = '<?xml version="1.0"?>'
_SPECIAL = re.compile(r'[&<>"\x00-\x08\x0b\x0c\x0e-\x1f]')
_ENTITIES = {"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;"}
_DATE = re.compile(r"\d{8}T\d\d:\d\d:\d\dZ?$")


class Malformed(Exception):
    """The body is no XML-RPC call."""


def escape(text: str) -> str:
    """Text between tags; characters that XML cannot carry are left out."""
    return _SPECIAL.sub(lambda match: _ENTITIES.get(match.group(), ""), text)


def value_text(value: Any) -> str:
    """A value with its tags."""
    parts: list[str] = []
    _write(value, parts.append)
    return "".join(parts)


def _write(value: Any, put: Any) -> None:
    kind = type(value)
    if kind is str:
        put("<value>%s</value>" % (escape(value) if _SPECIAL.search(value) else value))
    elif kind is bool:
        put("<value><boolean>%d</boolean></value>" % value)
    elif kind is Int32:
        put("<value><i4>%d</i4></value>" % value)
    elif kind is int:
        put("<value>%d</value>" % value)
    elif kind is float:
        put("<value><double>%s</double></value>" % _double(value))
    elif kind is Date:
        put("<value><dateTime.iso8601>%s</dateTime.iso8601></value>" % value)
    elif kind is dict:
        put("<value><struct>")
        for name, item in value.items():
            put("<member><name>%s</name>" % escape(name))
            _write(item, put)
            put("</member>")
        put("</struct></value>")
    elif value is None:
        put("<value></value>")  # a void result is the empty string
    else:
        put("<value><array><data>")
        for item in value:
            _write(item, put)
        put("</data></array></value>")


def _double(value: float) -> str:
    return "%.16g" % value if value != int(value) or abs(value) > 1e15 else "%d" % value


def response(value: Any) -> str:
    """The answer to a call that went well."""
    return _enveloped(
        "<value><struct><member><name>Status</name><value>Success</value></member>"
        "<member><name>Value</name>%s</member></struct></value>" % value_text(value)
    )


def failure_response(failure: Failure) -> str:
    """The answer to a call that failed."""
    return _enveloped(value_text({"Status": "Failure", "ErrorDescription": failure.description}))


def bare_response(value: Any) -> str:
    """system.listMethods answers its list without Status."""
    return _enveloped(value_text(value))


def _enveloped(value: str) -> str:
    return "%s<methodResponse><params><param>%s</param></params></methodResponse>" % (HEADER, value)


def parse_call(body: bytes) -> tuple[str, list[Any]]:
    """Method name and parameters of a methodCall. Raises Malformed."""
    try:
        root = ElementTree.fromstring(body)
    except ElementTree.ParseError as error:
        raise Malformed(str(error)) from error
    name = root.findtext("methodName")
    if root.tag != "methodCall" or name is None:
        raise Malformed("no methodCall")
    return name.strip(), [_read(value) for value in root.iterfind("params/param/value")]


def _read(value: ElementTree.Element) -> Any:
    if len(value) == 0:
        return value.text or ""
    item = value[0]
    text = item.text or ""
    if item.tag == "string":
        return text
    if item.tag in ("i4", "int", "i8"):
        return _number(int, text)
    if item.tag == "boolean":
        return text.strip() == "1"
    if item.tag == "double":
        return _number(float, text)
    if item.tag == "dateTime.iso8601":
        return _date(text)
    if item.tag == "nil":
        return None
    if item.tag == "array":
        return [_read(one) for one in item.iterfind("data/value")]
    if item.tag == "struct":
        return {one.findtext("name") or "": _read(_member_value(one)) for one in item.iterfind("member")}
    raise Malformed("unknown type %s" % item.tag)


def _member_value(member: ElementTree.Element) -> ElementTree.Element:
    value = member.find("value")
    if value is None:
        raise Malformed("member without value")
    return value


def _number(kind: Any, text: str) -> Any:
    try:
        return kind(text)
    except ValueError as error:
        raise Malformed("bad number %r" % text) from error


def _date(text: str) -> Date:
    plain = text.strip().replace("-", "")
    if not _DATE.match(plain):
        raise Malformed("bad date %r" % text)
    return Date(plain if plain.endswith("Z") else plain + "Z")
