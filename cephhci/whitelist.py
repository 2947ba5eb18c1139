"""Which storage drivers XAPI may use: its `sm-plugins` setting and the fragment that adds ours; pure.

XAPI reads /etc/xapi.conf, then every file in /etc/xapi.conf.d in byte order whatever its suffix; each
`sm-plugins` line replaces the whole list. So a fragment that adds a driver repeats all others and is last.
"""

import re
from typing import Iterable, List, Optional, Tuple

DRIVER = "ceph"
FRAGMENT = "zz-enable-sm-driver-ceph.conf"
SETTING = "sm-plugins"
ALL = "*"
# As xapi's own parser: the key is what stands before the first "=", and a backslash counts as a blank.
ASSIGNMENT = re.compile(r"([^=\\ \t]+)[\\ \t]*=[\\ \t]*(.*)")
HEADING = """\
# The drivers that were allowed when this file was written, and ceph. Written again whenever the package that
# sets the list changes; to allow another driver for good, use a file of your own in this folder.
"""

Files = Iterable[Tuple[str, str]]


def setting(line: str) -> Optional[List[str]]:
    """The drivers that one line allows, or None when it is not about them."""
    match = ASSIGNMENT.search(line.split("#", 1)[0].rstrip(" \t"))
    if match is None or match.group(1) != SETTING:
        return None
    value = match.group(2)
    if len(value) >= 2 and value[0] == value[-1] and value[0] in "\"'":
        value = value[1:-1]
    return value.split()


def effective(files: Files) -> List[str]:
    """The drivers that XAPI allows after reading the (name, text) pairs in that order."""
    allowed = []  # type: List[str]
    for _, content in files:
        for line in content.split("\n"):
            found = setting(line)
            if found is not None:
                allowed = found
    return allowed


def in_order(files: Files) -> List[Tuple[str, str]]:
    """Fragments in the order in which XAPI reads them: by the bytes of their names."""
    return sorted(files, key=lambda file: file[0].encode("utf-8", "surrogateescape"))


def allows(drivers: Iterable[str]) -> bool:
    """Whether our driver is among them; XAPI compares names without regard to case."""
    names = [name.lower() for name in drivers]
    return ALL in names or DRIVER in names


def fragment(main: str, fragments: Files) -> str:
    """The text of our fragment, from the text of xapi.conf and from (name, text) of the folder's files."""
    others = [file for file in in_order(fragments) if file[0] != FRAGMENT]
    drivers = effective([("xapi.conf", main)] + others)
    if not allows(drivers):
        drivers = drivers + [DRIVER]
    return "%s%s = %s\n" % (HEADING, SETTING, " ".join(drivers))


def overruled_by(fragments: Files) -> List[str]:
    """Fragments that XAPI reads after ours and that take our driver away again."""
    last = FRAGMENT.encode("ascii")
    later = [file for file in in_order(fragments) if file[0].encode("utf-8", "surrogateescape") > last]
    return [name for name, content in later if _takes_away(content)]


def _takes_away(content: str) -> bool:
    settings = [setting(line) for line in content.split("\n")]
    last = [found for found in settings if found is not None][-1:]
    return any(not allows(found) for found in last)
