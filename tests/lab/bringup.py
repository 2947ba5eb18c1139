"""What `lab up` does inside a fresh lab: nodes and hosts side by side, then the cluster, then the pool."""

import os
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

from lab import cluster, host, hostinstall, loops, node, pool
from lab.envfile import Environment
from lab.machine import Machine, all_machines
from lab.state import State


def bring_up(state: State, first_loop: int) -> None:
    """Make every machine and wait until the lab is usable. Raises LabError naming what did not come up."""
    say = Progress()
    environment = state.environment()
    machines = all_machines(state)
    nodes = [machine for machine in machines if machine.spec.kind == "node"]
    hosts = [machine for machine in machines if machine.spec.kind == "host"]
    for index, machine in enumerate(hosts):
        host.prepare(machine, loops.for_machine(first_loop, index), host.sm_tree())
    seed = node.prepare(nodes, environment) if nodes else None
    if seed:
        cluster.write_client_files(state, hosts, seed)
    rpms = [Path(path) for path in os.environ["LAB_RPMS"].split(":") if path]
    say("%d machines are made" % len(machines))
    work: list[Callable[[], None]] = []
    if seed:
        work.append(partial(_nodes, state, environment, nodes, say))
    if hosts:
        work.append(partial(_hosts, hosts, rpms, say))
    side_by_side(work)
    say("the lab is up")


def _nodes(state: State, environment: Environment, nodes: Sequence[Machine], say: "Progress") -> None:
    side_by_side([machine.start for machine in nodes])
    say("%d nodes are running" % len(nodes))
    disks = sum(len(machine.spec.disks) for machine in nodes)
    with cluster.connect(state) as ceph:
        say("Ceph's monitors have a quorum")
        cluster.create_pool(ceph, environment.ceph_pool)
        cluster.wait_until_clean(ceph, disks)
        cluster.initialise_pool(ceph, environment.ceph_pool)
    say("Ceph is healthy: %d OSDs, pool %s" % (disks, environment.ceph_pool))


def _hosts(hosts: Sequence[Machine], rpms: Sequence[Path], say: "Progress") -> None:
    side_by_side([partial(_host, machine, rpms) for machine in hosts])
    say("%d hosts are running, the package is installed" % len(hosts))
    pool.form(hosts)
    say("the pool of %d hosts is formed" % len(hosts))


def _host(machine: Machine, rpms: Sequence[Path]) -> None:
    machine.start()
    hostinstall.install(machine, rpms)
    host.start_toolstack(machine)


def side_by_side(work: Sequence[Callable[[], None]]) -> None:
    """Do everything at once; raises the first error after all have ended."""
    with ThreadPoolExecutor(max_workers=max(1, len(work))) as executor:
        for future in [executor.submit(piece) for piece in work]:
            future.result()


class Progress:
    """Prints what has been reached, and after how many seconds."""

    def __init__(self) -> None:
        self.begun = time.monotonic()

    def __call__(self, text: str) -> None:
        print("%6.1f s  %s" % (time.monotonic() - self.begun, text), flush=True)
