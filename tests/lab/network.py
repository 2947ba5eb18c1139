"""The lab's switches: one bridge per network in the lab's own network namespace, a port per machine in it.

A machine's port is named machine.network on the switch's side. Cutting a machine off takes its ports down
on that side: the machine sees nothing but silence, as with a pulled cable or a dead switch.
"""

import subprocess
from collections.abc import Iterable, Sequence
from ipaddress import IPv4Address
from pathlib import Path

from lab.envfile import Machine, Network

IP_TIMEOUT = 20.0


def make_switch(networks: Sequence[Network]) -> None:
    """Make the bridges, with the lab's own address on each; called in the new namespace."""
    lines = ["link set lo up"]
    for network in networks:
        lines += [
            "link add %s type bridge forward_delay 0 stp_state 0 mcast_snooping 0" % network.name,
            "addr add %s dev %s" % (network.switch, network.name),
            "link set %s up" % network.name,
        ]
    _no_ipv6()
    ip(lines)


def plug(machine: Machine, networks: Sequence[Network], pid: int, cut: bool) -> None:
    """Give the network namespace of ``pid`` one interface per network; ``cut``: leave the switch's side down."""
    lines = []
    for network in networks:
        if network.name not in machine.addresses:
            continue
        port = _port(machine, network.name)
        mac = _mac(machine.addresses[network.name])
        lines += [
            "link add %s type veth peer name %s address %s netns %d" % (port, network.name, mac, pid),
            "link set %s master %s" % (port, network.name),
        ]
        if not cut:
            lines.append("link set %s up" % port)
    ip(lines)


def set_addresses(machine: Machine, networks: Sequence[Network]) -> None:
    """Bring the interfaces up; called inside the machine's namespace."""
    lines = ["link set lo up"]
    for network in networks:
        if network.name in machine.addresses:
            address = machine.addresses[network.name]
            lines += [
                "addr add %s/%d dev %s" % (address, network.subnet.prefixlen, network.name),
                "link set %s up" % network.name,
            ]
    _no_ipv6()
    ip(lines)


def cut(machine: Machine) -> None:
    """Silence every port of the machine."""
    ip(["link set %s down" % port for port in _ports(machine)])


def heal(machine: Machine) -> None:
    """Undo ``cut``."""
    ip(["link set %s up" % port for port in _ports(machine)])


def unplug(machine: Machine) -> None:
    """Remove what is left of the ports of a machine that is gone; the kernel may have been first."""
    ip(["link del %s" % port for port in _ports(machine)], force=True)


def ip(lines: Iterable[str], force: bool = False) -> None:
    """Run one batch of ip(8) commands; ``force`` goes on after a command that fails."""
    argv = ["/sbin/ip", *(["-force"] if force else []), "-batch", "-"]
    text = "\n".join(lines) + "\n"
    done = subprocess.run(argv, input=text, capture_output=True, text=True, timeout=IP_TIMEOUT)
    if done.returncode and not force:
        raise RuntimeError("ip -batch failed: %s\n%s" % (done.stderr.strip(), text))


def _ports(machine: Machine) -> list[str]:
    names = [_port(machine, network) for network in machine.addresses]
    return [name for name in names if Path("/sys/class/net", name).exists()]


def _port(machine: Machine, network: str) -> str:
    return "%s.%s" % (machine.name, network)


def _mac(address: str) -> str:
    """The same address after every restart, so that nobody's neighbour table goes stale."""
    return "02:00:" + ":".join("%02x" % byte for byte in IPv4Address(address).packed)


def _no_ipv6() -> None:
    """Link-local addresses would only add seconds of duplicate detection and noise."""
    switch = Path("/proc/sys/net/ipv6/conf/all/disable_ipv6")
    if switch.exists():
        switch.write_text("1", encoding="ascii")
