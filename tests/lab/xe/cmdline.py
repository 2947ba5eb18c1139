"""The command line: a verb, ``key=value`` parameters and a few switches."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Optional

# Switches with a value that stand for a parameter.
SWITCHES = {"-s": "server", "-h": "server", "-p": "port", "-u": "username", "-pw": "password"}
CONNECTION = ("server", "port", "username", "password", "nossl", "debug")
# Parameters that every verb knows and that never filter or set anything.
STANDARD = (*CONNECTION, "minimal", "force", "multiple", "all", "message-priority", "trace")
TRUE = ("true", "t", "yes", "y", "1")
FALSE = ("false", "f", "no", "n", "0")
UNITS = {"": 0, "b": 0, "bytes": 0, "k": 1, "kb": 1, "kib": 1, "m": 2, "mb": 2, "mib": 2}
UNITS |= {"g": 3, "gb": 3, "gib": 3, "t": 4, "tb": 4, "tib": 4}


class SyntaxFault(Exception):
    """The command line cannot be understood."""


class MissingParameter(Exception):
    """A parameter that the verb needs is not there."""


class CliFailure(Exception):
    """Something the program itself refuses; shown after ``Error: ``."""


@dataclass(frozen=True)
class Command:
    """A verb and its parameters, in the order given; a parameter can appear more than once."""

    verb: str
    params: list[tuple[str, str]] = field(default_factory=list)

    def find(self, name: str) -> Optional[str]:
        """The first value of a parameter, or None."""
        return next((value for key, value in self.params if key == name), None)

    def required(self, name: str) -> str:
        """The first value of a parameter; raises MissingParameter."""
        value = self.find(name)
        if value is None:
            raise MissingParameter(name)
        return value

    def text(self, name: str, default: str = "") -> str:
        """The first value of a parameter, or the default."""
        value = self.find(name)
        return default if value is None else value

    def flag(self, name: str, default: bool = False) -> bool:
        """A boolean parameter; raises CliFailure when it is neither true nor false."""
        value = self.find(name)
        return default if value is None else to_bool(name, value)

    def mapping(self, name: str) -> dict[str, str]:
        """``name:key=value`` parameters (and the old form ``name-key=value``) as a map."""
        start = len(name) + 1
        return {key[start:]: value for key, value in self.params if key.startswith(name) and len(key) > start}

    def others(self, *names: str) -> list[tuple[str, str]]:
        """All parameters but the standard ones and those named."""
        return [(key, value) for key, value in self.params if key not in STANDARD and key not in names]


def parse(argv: Sequence[str]) -> Command:
    """A command from the arguments after the program's name; raises SyntaxFault."""
    words = list(argv)
    params = _leading_switches(words)
    if not words:
        raise SyntaxFault("")
    verb = words.pop(0)
    if "=" in verb:
        raise SyntaxFault("")
    while words:
        params.append(_parameter(words))
    return Command(verb, params)


def _leading_switches(words: list[str]) -> list[tuple[str, str]]:
    """Switches may stand before the verb; they are taken off the front of ``words``."""
    params = []
    while words and words[0].startswith("-"):
        params.append(_parameter(words))
    return params


def _parameter(words: list[str]) -> tuple[str, str]:
    word = words.pop(0)
    if word.startswith("--"):
        return word[2:], "true"
    if word.startswith("-"):
        if word not in SWITCHES or not words:
            raise SyntaxFault("")
        return SWITCHES[word], words.pop(0)
    key, _, value = word.partition("=")
    return key, value


def to_bool(name: str, value: str) -> bool:
    """A boolean as people write it; raises CliFailure."""
    if value.lower() in TRUE:
        return True
    if value.lower() in FALSE:
        return False
    expected = ",".join(f"'{word}'" for word in (*TRUE, *FALSE))
    raise CliFailure(f"Failed to parse parameter '{name}': Expected {expected} got {value}")


def to_bytes(name: str, text: str) -> int:
    """A size in bytes, possibly with a unit; every unit is a power of 1024. Raises CliFailure."""
    stripped = text.strip()
    digits = stripped[: len(stripped) - len(stripped.lstrip("0123456789"))]
    power = UNITS.get(stripped[len(digits) :].strip().split(" ")[0].lower())
    if not digits or power is None:
        raise CliFailure(
            f"Failed to parse field '{name}': expecting an integer "
            f"(possibly with suffix KiB, MiB, GiB, TiB), got '{text}'"
        )
    return int(digits) << (10 * power)
