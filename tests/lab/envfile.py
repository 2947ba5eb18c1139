"""The environment file: which hosts, nodes, networks and disks a lab consists of.

A TOML file; envs/three.toml is the example. Everything is checked before anything is started.
"""

import ipaddress
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass

UNITS = {"MiB": 2**20, "GiB": 2**30, "TiB": 2**40}
SIZE = re.compile(r"([1-9][0-9]*)(MiB|GiB|TiB)")
NAME = re.compile(r"[a-z][a-z0-9]{0,6}")  # machine.network names an interface: at most 15 characters
SWITCH_HOST = 254  # the lab's own address in every network
DISK_MINIMUM = 2**30  # a smaller disk is refused by BlueStore's first allocation


class BadEnvironment(Exception):
    """The environment file cannot be used; the text names the place and the reason."""


@dataclass(frozen=True)
class Network:
    """One switched network; the lab itself has its address ``switch`` in it."""

    name: str
    subnet: ipaddress.IPv4Network

    @property
    def switch(self) -> str:
        return "%s/%d" % (self.subnet[SWITCH_HOST], self.subnet.prefixlen)


@dataclass(frozen=True)
class Machine:
    """A host or a node: its addresses by network name, its disks by name in bytes."""

    name: str
    kind: str
    addresses: Mapping[str, str]
    disks: Mapping[str, int]

    @property
    def public(self) -> str:
        return self.addresses["public"]


@dataclass(frozen=True)
class Environment:
    """A whole lab."""

    networks: tuple[Network, ...]
    machines: tuple[Machine, ...]
    ceph_pool: str
    ceph_options: Mapping[str, Mapping[str, str]]

    @property
    def hosts(self) -> tuple[Machine, ...]:
        return tuple(machine for machine in self.machines if machine.kind == "host")

    @property
    def nodes(self) -> tuple[Machine, ...]:
        return tuple(machine for machine in self.machines if machine.kind == "node")

    def machine(self, name: str) -> Machine:
        """The machine of that name; raises BadEnvironment when there is none."""
        for machine in self.machines:
            if machine.name == name:
                return machine
        known = " ".join(machine.name for machine in self.machines)
        raise BadEnvironment("there is no machine %s in this lab; there are: %s" % (name, known))


def parse(text: str) -> Environment:
    """Read the text of an environment file. Raises BadEnvironment."""
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise BadEnvironment("not TOML: %s" % error) from error
    _only(document, "the file", {"networks", "hosts", "nodes", "ceph"})
    networks = tuple(_network(name, value) for name, value in _table(document, "networks").items())
    if not any(network.name == "public" for network in networks):
        raise BadEnvironment("networks: there is no network named public")
    _check_apart(networks)
    machines = tuple(
        _machine(name, kind, value, networks)
        for kind, section in (("host", "hosts"), ("node", "nodes"))
        for name, value in _table(document, section).items()
    )
    _check_unique(machines)
    ceph = _table(document, "ceph")
    _only(ceph, "ceph", {"pool", "options"})
    return Environment(networks, machines, _ceph_pool(ceph), _ceph_options(ceph))


def size(text: object, place: str) -> int:
    """Bytes of a size such as "20GiB". Raises BadEnvironment naming ``place``."""
    match = SIZE.fullmatch(text) if isinstance(text, str) else None
    if not match:
        raise BadEnvironment('%s: %r is not a size such as "20GiB" (%s)' % (place, text, ", ".join(UNITS)))
    return int(match.group(1)) * UNITS[match.group(2)]


def _table(document: Mapping[str, object], section: str) -> dict[str, object]:
    value = document.get(section, {})
    if not isinstance(value, dict):
        raise BadEnvironment("%s: must be a table" % section)
    return value


def _only(table: Mapping[str, object], place: str, allowed: set[str]) -> None:
    unknown = sorted(set(table) - allowed)
    if unknown:
        raise BadEnvironment("%s: unknown key %s; known are: %s" % (place, unknown[0], " ".join(sorted(allowed))))


def _checked_name(name: str, place: str) -> str:
    if not NAME.fullmatch(name):
        raise BadEnvironment("%s: a name is 1 to 7 lower-case letters and digits, the first a letter" % place)
    return name


def _network(name: str, value: object) -> Network:
    place = "networks.%s" % name
    _checked_name(name, place)
    try:
        subnet = ipaddress.IPv4Network(value if isinstance(value, str) else "")
    except ValueError as error:
        raise BadEnvironment('%s: %r is not a subnet such as "10.83.0.0/24"' % (place, value)) from error
    if subnet.prefixlen > 24:
        raise BadEnvironment("%s: %s is smaller than /24" % (place, subnet))
    return Network(name, subnet)


def _machine(name: str, kind: str, value: object, networks: tuple[Network, ...]) -> Machine:
    place = "%ss.%s" % (kind, name)
    _checked_name(name, place)
    if not isinstance(value, dict):
        raise BadEnvironment("%s: must be a table" % place)
    names = {network.name for network in networks}
    _only(value, place, names | ({"disks"} if kind == "node" else set()))
    addresses = {
        network.name: _address(value[network.name], network, "%s.%s" % (place, network.name))
        for network in networks
        if network.name in value
    }
    if "public" not in addresses:
        raise BadEnvironment("%s: has no address in the public network" % place)
    disks = _disks(value, place) if kind == "node" else {}
    return Machine(name, kind, addresses, disks)


def _address(value: object, network: Network, place: str) -> str:
    try:
        address = ipaddress.IPv4Address(value if isinstance(value, str) else "")
    except ValueError as error:
        raise BadEnvironment("%s: %r is not an IPv4 address" % (place, value)) from error
    if address not in network.subnet:
        raise BadEnvironment("%s: %s is not in %s" % (place, address, network.subnet))
    reserved = (network.subnet[0], network.subnet[-1], network.subnet[SWITCH_HOST])
    if address in reserved:
        raise BadEnvironment("%s: %s is reserved in %s" % (place, address, network.subnet))
    return str(address)


def _disks(value: Mapping[str, object], place: str) -> dict[str, int]:
    disks = {}
    for name, text in _table(value, "disks").items():
        where = "%s.disks.%s" % (place, name)
        disks[_checked_name(name, where)] = size(text, where)
        if disks[name] < DISK_MINIMUM:
            raise BadEnvironment("%s: %s is smaller than 1GiB" % (where, text))
    return disks


def _ceph_pool(ceph: Mapping[str, object]) -> str:
    pool = ceph.get("pool", "xcp")
    if not isinstance(pool, str) or not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_-]*", pool):
        raise BadEnvironment("ceph.pool: %r is not a pool name" % (pool,))
    return pool


def _ceph_options(ceph: Mapping[str, object]) -> dict[str, dict[str, str]]:
    """Options by section of ceph.conf; which sections and options there may be is for the node program to say."""
    options = {}
    for section in _table(ceph, "options"):
        values = _table(_table(ceph, "options"), section)
        for name, value in values.items():
            if not isinstance(value, str | int | float):
                raise BadEnvironment("ceph.options.%s.%s: must be a text, a number, true or false" % (section, name))
        options[section] = {
            name: str(value).lower() if isinstance(value, bool) else str(value) for name, value in values.items()
        }
    return options


def _check_apart(networks: tuple[Network, ...]) -> None:
    for index, network in enumerate(networks):
        for other in networks[:index]:
            if network.subnet.overlaps(other.subnet):
                raise BadEnvironment(
                    "networks.%s: %s overlaps networks.%s" % (network.name, network.subnet, other.name)
                )


def _check_unique(machines: tuple[Machine, ...]) -> None:
    if not machines:
        raise BadEnvironment("there is neither a host nor a node")
    names: set[str] = set()
    owners: dict[str, str] = {}
    for machine in machines:
        if machine.name in names:
            raise BadEnvironment("%s: the name is used twice" % machine.name)
        names.add(machine.name)
        for address in machine.addresses.values():
            if address in owners:
                raise BadEnvironment("%s: %s already belongs to %s" % (machine.name, address, owners[address]))
            owners[address] = machine.name
