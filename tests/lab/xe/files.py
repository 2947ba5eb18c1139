"""Values that the command line takes from files on the caller's side."""

from lab.xe.cmdline import CliFailure


def content(path: str) -> str:
    """A file's text; raises CliFailure when it cannot be read."""
    try:
        with open(path, encoding="utf-8") as source:
            return source.read()
    except OSError:
        raise CliFailure("File not found") from None


def replaced(values: dict[str, str], suffix: str) -> dict[str, str]:
    """``key<suffix>=path`` becomes ``key=<the file's text>``."""
    kept = {key: value for key, value in values.items() if not key.endswith(suffix)}
    read = {key.removesuffix(suffix): content(value) for key, value in values.items() if key.endswith(suffix)}
    return {**kept, **read}
