"""XAPI's configuration files on this host: reads all of them, owns one fragment."""

import os
from typing import List, Tuple

from cephhci import whitelist

MAIN = "xapi.conf"
FOLDER = "xapi.conf.d"


def read_main(etc: str) -> str:
    """The text of xapi.conf; empty when there is none."""
    return _read(os.path.join(etc, MAIN))


def read_fragments(etc: str) -> List[Tuple[str, str]]:
    """(name, text) of every file in xapi.conf.d, whatever its suffix, as XAPI reads them."""
    folder = os.path.join(etc, FOLDER)
    try:
        names = os.listdir(folder)
    except FileNotFoundError:
        return []
    return [(name, _read(os.path.join(folder, name))) for name in names]


def write_fragment(etc: str, content: str) -> bool:
    """Replace our fragment as a whole; False when it was like that already."""
    path = os.path.join(etc, FOLDER, whitelist.FRAGMENT)
    if os.path.exists(path) and _read(path) == content:
        return False
    os.makedirs(os.path.dirname(path), mode=0o755, exist_ok=True)
    # Not beside it: XAPI would read a forgotten temporary file of that folder as well.
    temporary = os.path.join(etc, ".%s.new" % whitelist.FRAGMENT)
    with open(temporary, "w", encoding="utf-8") as stream:
        stream.write(content)
        stream.flush()
        os.fsync(stream.fileno())
    os.chmod(temporary, 0o644)
    os.rename(temporary, path)
    return True


def _read(path: str) -> str:
    # Names of drivers are ASCII; whatever else a comment holds must not stop the installation.
    try:
        with open(path, encoding="utf-8", errors="surrogateescape") as stream:
            return stream.read()
    except (FileNotFoundError, IsADirectoryError):
        return ""
