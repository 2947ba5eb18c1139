"""The expressions of ``get_all_records_where``: ``field "x" = "y"``, and, or, not, true, false, brackets.

As in xapi, words need no space between them (``andfield`` reads as two), fields have their column names
(``name__label``), everything is compared as text, ``and`` and ``or`` bind alike and ``not`` less than both.
"""

import re
from collections.abc import Callable, Iterator

from lab.xapi.database import Database, Record
from lab.xapi.failure import Failure
from lab.xapi.values import column_text

TOKEN = re.compile(r'[ \t\n]*(?:(field|true|false|and|or|not|=|\(|\))|"([^"]*)"|$)')

Lookup = Callable[[str], str]  # a column's text in one row
Predicate = Callable[[Lookup], bool]
Value = tuple[bool, str]  # whether it is a field, and the field's or the literal's text
Token = tuple[str, str]


class _Syntax(Exception):
    """The text is no expression."""


def select(db: Database, cls: str, expression: str) -> dict[str, Record]:
    """The records that satisfy an expression. Raises INVALID_VALUE when it does not parse."""
    definition = db.schema.classes[cls]
    try:
        parser = _Parser(expression)
        predicate = parser.whole()
    except _Syntax as error:
        raise Failure("INVALID_VALUE", expression, str(error)) from None
    columns = {field.column: field.name for field in definition.fields.values()}
    parents = {relation.child_field for relation in definition.parents}
    narrowed = {name: text for name, text in parser.required.items() if name in parents}
    found = db.where(cls, **narrowed) if narrowed else db.records(cls)
    return {ref: record for ref, record in found.items() if predicate(_lookup(ref, record, columns))}


def _lookup(ref: str, record: Record, columns: dict[str, str]) -> Lookup:
    def text(column: str) -> str:
        if column == "_ref":
            return ref
        if column not in columns:
            raise Failure("INTERNAL_ERROR", "missing field", column, "")
        return column_text(record[columns[column]])

    return text


class _Parser:
    """Recursive descent over the tokens; ``required`` are the equalities that no row can do without."""

    def __init__(self, text: str) -> None:
        self._tokens = list(_tokens(text))
        self._at = 0
        self.required: dict[str, str] = {}

    def whole(self) -> Predicate:
        predicate = self._expression()
        if self._at < len(self._tokens):
            raise _Syntax("Stdlib.Parsing.Parse_error")
        if all(kind != "or" and kind != "not" for kind, _ in self._tokens):
            self._collect()
        return predicate

    def _collect(self) -> None:
        for index in range(len(self._tokens) - 3):
            kinds = [kind for kind, _ in self._tokens[index : index + 4]]
            if kinds == ["field", "text", "=", "text"]:
                self.required[self._tokens[index + 1][1]] = self._tokens[index + 3][1]

    def _peek(self) -> str:
        return self._tokens[self._at][0] if self._at < len(self._tokens) else ""

    def _take(self, kind: str) -> str:
        if self._peek() != kind:
            raise _Syntax("Stdlib.Parsing.Parse_error")
        self._at += 1
        return self._tokens[self._at - 1][1]

    def _expression(self) -> Predicate:
        left = self._term()
        while self._peek() in ("and", "or"):
            join = _both if self._tokens[self._at][0] == "and" else _either
            self._at += 1
            left = join(left, self._term())
        return left

    def _term(self) -> Predicate:
        kind = self._peek()
        if kind in ("true", "false"):
            self._at += 1
            return _constant(kind == "true")
        if kind == "not":
            self._at += 1
            return _negated(self._expression())  # it binds less than and, or
        if kind == "(":
            self._at += 1
            inner = self._expression()
            self._take(")")
            return inner
        left = self._value()
        self._take("=")
        return _equal(left, self._value())

    def _value(self) -> Value:
        if self._peek() == "field":
            self._at += 1
            return True, self._take("text")
        return False, self._take("text")


def _tokens(text: str) -> Iterator[Token]:
    at = 0
    while at < len(text):
        match = TOKEN.match(text, at)
        if match is None:
            raise _Syntax('Failure("lexing: empty token")')
        if match.group(1):
            yield match.group(1), match.group(1)
        elif match.group(2) is not None:
            yield "text", match.group(2)
        at = match.end()


def _constant(answer: bool) -> Predicate:
    return lambda lookup: answer


def _negated(inner: Predicate) -> Predicate:
    return lambda lookup: not inner(lookup)


def _both(left: Predicate, right: Predicate) -> Predicate:
    return lambda lookup: left(lookup) and right(lookup)


def _either(left: Predicate, right: Predicate) -> Predicate:
    return lambda lookup: left(lookup) or right(lookup)


def _equal(left: Value, right: Value) -> Predicate:
    def text(value: Value, lookup: Lookup) -> str:
        return lookup(value[1]) if value[0] else value[1]

    return lambda lookup: text(left, lookup) == text(right, lookup)
