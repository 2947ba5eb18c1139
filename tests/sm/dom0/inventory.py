"""Facts of this host from the inventory file."""

from typing import Dict

INVENTORY = "/etc/xensource-inventory"
INSTALLATION_UUID = "INSTALLATION_UUID"


def read_kvpairs(filename: str) -> Dict[str, str]:
    """Lines KEY='value' as a dictionary."""
    with open(filename, encoding="utf-8") as lines:
        pairs = [line.split("=", 1) for line in lines]
    return {key: value.strip().strip("'") for key, value in pairs}


def parse() -> Dict[str, str]:
    """The inventory; empty when there is none."""
    try:
        return read_kvpairs(INVENTORY)
    except FileNotFoundError:
        return {}


def get_localhost_uuid() -> str:
    """UUID of this host."""
    return parse()[INSTALLATION_UUID]
