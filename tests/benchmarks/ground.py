"""The lab to measure in: one with an SR in its Ceph pool."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from benchmarks.rows import Row
from lab import enter
from lab.lab import Lab

HOST = "host1"  # the pool's master, which runs all SR-wide commands
KEYRING = "/etc/ceph/hci.client.xcp.keyring"


class MeasurementFailed(Exception):
    """The worker in the host ended with an error; it is on the terminal."""


@contextmanager
def lab_with_sr(name: str) -> Iterator[Lab]:
    """The lab of that name, or a fresh one that ends afterwards; with an SR, made unless there is one."""
    lab = Lab(name or "bench-%d" % os.getpid())
    fresh = not lab.is_up
    if fresh:
        lab.up(progress=sys.stderr)
    try:
        if not lab.xe("sr-list", "type=ceph", "--minimal"):
            _create_sr(lab)
        yield lab
    finally:
        if fresh:
            lab.down()


def measure(lab: Lab, request: dict[str, object]) -> Iterator[Row]:
    """Have the first host measure; rows as they come."""
    argv = lab.machine(HOST).argv([enter.PYTHON, "-m", "benchmarks.worker", json.dumps(request)])
    environment = {**enter.module_environment(), "PYTHONPATH": _search_path()}
    with subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True, env=environment) as worker:
        for line in worker.stdout or ():
            yield Row(**json.loads(line))
    if worker.returncode:
        raise MeasurementFailed("measuring in %s ended with exit code %d" % (HOST, worker.returncode))


def _create_sr(lab: Lab) -> None:
    text = lab.machine(HOST).run(["/usr/bin/cat", KEYRING]).stdout
    key = next(line.split("=", 1)[1].strip() for line in text.splitlines() if line.strip().startswith("key"))
    monitors = ",".join(node.public for node in lab.environment.nodes)
    config = {
        "monitors": monitors,
        "user": "xcp",
        "password": key,
        "pool": lab.environment.ceph_pool,
        "mapper": "fuse",
    }
    lab.xe("sr-create", "type=ceph", "shared=true", "name-label=benchmarks", *_device_config(config))


def _device_config(config: dict[str, str]) -> Sequence[str]:
    return ["device-config:%s=%s" % pair for pair in config.items()]


def _search_path() -> str:
    # cephhci itself is the installed one
    return str(enter.TESTS)
