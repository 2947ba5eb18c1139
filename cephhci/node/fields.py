"""Taking a JSON document apart field by field, with errors that name the field and what is wrong with it."""

import ipaddress
import json
import re
import uuid
from typing import Dict, List, Pattern, Tuple

from cephhci.node.errors import DocumentInvalid

UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f]")
TOP = "(document)"


def load(text: str) -> "Fields":
    """The fields of the object in the JSON text; a name given twice is an error. Raises DocumentInvalid."""
    try:
        value = json.loads(text, object_pairs_hook=_unique)
    except ValueError as error:
        raise wrong(TOP, "is not JSON: %s" % error) from error
    return Fields(value, "")


def wrong(field: str, reason: str) -> DocumentInvalid:
    """The error to raise because of this field."""
    return DocumentInvalid(field=field, reason=reason)


class Fields:
    """The members of one JSON object, taken one by one; what is left at the end is unknown and refused.

    ``where`` is the path of the object in the document. Every method raises DocumentInvalid.
    """

    def __init__(self, value: object, where: str) -> None:
        if not isinstance(value, dict):
            raise wrong(where or TOP, "must be an object")
        self._left: Dict[str, object] = dict(value)
        self._prefix = where + "." if where else ""

    def __contains__(self, name: str) -> bool:
        return name in self._left

    def path(self, name: str) -> str:
        """The path of a member in the document."""
        return self._prefix + name

    def take(self, name: str, *default: object) -> object:
        """The member's value as it is; the default when there is none, an error without default."""
        if name not in self._left and not default:
            raise wrong(self.path(name), "is missing")
        return self._left.pop(name, *default)

    def done(self) -> None:
        """Refuse what was not taken."""
        for name in sorted(self._left):
            raise wrong(self.path(name), "is not a known field")

    def text(self, name: str, pattern: Pattern[str], what: str, *default: object) -> str:
        """A string that matches the whole pattern; ``what`` describes it."""
        value = self.take(name, *default)
        if not isinstance(value, str) or not pattern.fullmatch(value):
            raise wrong(self.path(name), "must be " + what)
        return value

    def items(self, name: str, *default: object) -> List[Tuple[str, object]]:
        """The items of a list, each with its path."""
        value = self.take(name, *default)
        if not isinstance(value, list):
            raise wrong(self.path(name), "must be a list")
        return [("%s[%d]" % (self.path(name), index), item) for index, item in enumerate(value)]

    def members(self, name: str, *default: object) -> List[Tuple[str, object]]:
        """Names and values of an object whose names are data, sorted."""
        value = self.take(name, *default)
        if not isinstance(value, dict):
            raise wrong(self.path(name), "must be an object")
        return sorted(value.items())

    def uuid(self, name: str) -> str:
        """A UUID in its usual form."""
        value = self.take(name)
        try:
            if isinstance(value, str) and str(uuid.UUID(value)) == value:
                return value
        except ValueError:
            pass
        raise wrong(self.path(name), "must be a UUID in lower case with hyphens")

    def address(self, name: str) -> str:
        """An IPv4 address."""
        value = self.take(name)
        try:
            return str(ipaddress.IPv4Address(value if isinstance(value, str) else ""))
        except ValueError as error:
            raise wrong(self.path(name), "must be an IPv4 address") from error

    def network(self, name: str) -> str:
        """An IPv4 network in CIDR form."""
        value = self.take(name)
        try:
            return str(ipaddress.IPv4Network(value if isinstance(value, str) else ""))
        except ValueError as error:
            raise wrong(self.path(name), "must be an IPv4 network like 10.0.0.0/24") from error


def _unique(pairs: List[Tuple[str, object]]) -> Dict[str, object]:
    names = [name for name, _ in pairs]
    for name in names:
        if names.count(name) > 1:
            raise ValueError("the field %r appears twice in one object" % name)
    return dict(pairs)
