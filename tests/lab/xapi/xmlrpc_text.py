"""XML-RPC text as xapi itself writes and reads it for programs.

Strings are untyped values, nothing is indented and there is no XML header, so what a driver or plugin
receives in its argument is the same bytes as on a real host. Reading is as strict as xapi's own reader.
"""

import re
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeVar, Union

Value = Union[str, Sequence["Value"], Mapping[str, "Value"]]
T = TypeVar("T")

FORBIDDEN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f]")


class TypeMismatch(Exception):
    """A value has another shape than the caller must get; the text is the one xapi shows."""


@dataclass(frozen=True)
class Node:
    """An element: its name and its children, which are elements or pieces of text."""

    tag: str
    children: "tuple[Union[Node, str], ...]" = field(default=())


def escape(text: str) -> str:
    """Text for use between tags; characters that XML cannot carry are left out."""
    kept = FORBIDDEN.sub("", text)
    for char, entity in (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;"), ('"', "&quot;")):
        kept = kept.replace(char, entity)
    return kept


def element(tag: str, inner: str) -> str:
    """``inner``, already escaped, between tags; the short form when it is empty."""
    return f"<{tag}>{inner}</{tag}>" if inner else f"<{tag}/>"


def value_text(value: Value) -> str:
    """A value: strings, arrays of values and structs."""
    if isinstance(value, str):
        return element("value", escape(value))
    if isinstance(value, Mapping):
        members = "".join(
            element("member", element("name", escape(name)) + value_text(item))
            for name, item in value.items()
        )
        return element("value", element("struct", members))
    return element("value", element("array", element("data", "".join(value_text(item) for item in value))))


def call_text(method: str, params: Sequence[Value]) -> str:
    """A whole methodCall."""
    inner = "".join(element("param", value_text(param)) for param in params)
    return element("methodCall", element("methodName", escape(method)) + element("params", inner))


def parse(text: str) -> Node:
    """The root of a document. Raises ElementTree.ParseError."""
    return _node(ElementTree.fromstring(text.encode("utf-8")))


def _node(source: ElementTree.Element) -> Node:
    children: list[Union[Node, str]] = [source.text or ""]
    for child in source:
        children += [_node(child), child.tail or ""]
    return Node(source.tag, tuple(c for c in children if isinstance(c, Node) or c.strip(" \t\n")))


def shown(item: Union[Node, str]) -> str:
    """How xapi names a node in its type errors."""
    return f"Element={item.tag}" if isinstance(item, Node) else f"PCData={item}"


def indented(node: Node, indent: str = "") -> str:
    """A node as xapi prints it inside its parse failures."""
    if not node.children:
        return f"{indent}<{node.tag}/>\n"
    first = node.children[0]
    if len(node.children) == 1 and isinstance(first, str):
        return f"{indent}<{node.tag}>{escape(first)}</{node.tag}>\n"
    inner = "".join(
        indented(c, indent + "  ") if isinstance(c, Node) else escape(c) + "\n" for c in node.children
    )
    return f"{indent}<{node.tag}>\n{inner}{indent}</{node.tag}>\n"


def unboxed(item: Union[Node, str], *tags: str) -> "tuple[Union[Node, str], ...]":
    """The children of an element that must have one of the given names."""
    if isinstance(item, Node) and item.tag in tags:
        return item.children
    raise TypeMismatch(f"unbox: {shown(item)} should contain '{tags[0]}'")


def single(item: Union[Node, str], *tags: str) -> Union[Node, str]:
    """The only child of an element that must have one of the given names."""
    children = unboxed(item, *tags)
    if len(children) != 1:
        names = ", ".join(shown(child) for child in children)
        raise TypeMismatch(f"singleton: {{{names}}} should be the singleton {{{tags[0]}}}")
    return children[0]


def to_nil(item: Union[Node, str]) -> None:
    """The value must be ``<nil/>``."""
    unboxed(single(item, "value"), "nil")


def to_string(item: Union[Node, str]) -> str:
    """The value must be a string, typed or not."""
    if isinstance(item, Node) and item.tag == "value":
        if not item.children:
            return ""
        if len(item.children) == 1:
            child = item.children[0]
            if isinstance(child, str):
                return child
            if child == Node("string"):
                return ""
    return _text(single(single(item, "value"), "string"))


def to_int(item: Union[Node, str]) -> int:
    """The value must be an ``i4`` or ``int``."""
    return int(_text(single(single(item, "value"), "i4", "int")))


def to_boolean(item: Union[Node, str]) -> bool:
    """The value must be a boolean."""
    return single(single(item, "value"), "boolean") != "0"


def to_array(item: Union[Node, str], convert: Callable[[Union[Node, str]], T]) -> list[T]:
    """The value must be an array; every member goes through ``convert``."""
    return [convert(child) for child in unboxed(single(single(item, "value"), "array"), "data")]


def to_struct(item: Union[Node, str]) -> dict[str, Node]:
    """The value must be a struct; its members by name, not converted."""
    return dict(_member(child) for child in unboxed(single(item, "value"), "struct"))


def _member(item: Union[Node, str]) -> tuple[str, Node]:
    children = unboxed(item, "member")
    if len(children) != 2 or not isinstance(children[1], Node):
        raise TypeMismatch("pair ")
    name = unboxed(children[0], "name")
    return (_text(name[0]) if name else ""), children[1]


def _text(item: Union[Node, str]) -> str:
    if not isinstance(item, str):
        raise TypeMismatch("pcdata")
    return item
