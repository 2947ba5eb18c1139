"""Who this host is."""

import re
from typing import NamedTuple

INVENTORY = "/etc/xensource-inventory"
BOOT_ID = "/proc/sys/kernel/random/boot_id"
LINE = re.compile(r"^INSTALLATION_UUID='?([0-9a-fA-F-]{36})'?\s*$", re.MULTILINE)


class Identity(NamedTuple):
    """The host's uuid in XAPI, and the id of its current boot."""

    host: str
    boot: str


def identity(inventory: str = INVENTORY, boot_id: str = BOOT_ID) -> Identity:
    """Read both; raises OSError where there is no dom0, ValueError where the inventory names no host."""
    found = LINE.search(_text(inventory))
    if not found:
        raise ValueError("%s has no INSTALLATION_UUID" % inventory)
    return Identity(found.group(1), _text(boot_id).strip())


def _text(path: str) -> str:
    with open(path, encoding="utf-8") as stream:
        return stream.read()
