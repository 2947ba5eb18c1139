"""The adapters as dom0 uses them: these tests run inside a simulated host, with that host's own Ceph user.

tests/run brings up a lab for them; by hand: tests/lab/lab exec host1 -- PYTHON -m pytest REPOSITORY/tests/contract.
"""

import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import rados
import rbd

from cephhci import deviceconfig
from cephhci.ceph.cluster import connect
from cephhci.ceph.port import Cluster
from cephhci.target import Target

WAIT_SECONDS = 60
Closing = Callable[[], None]


def pytest_sessionstart() -> None:
    if not Path("/etc/xensource-inventory").exists():
        raise pytest.UsageError("tests/contract runs inside a host of the lab; use tests/run contract")


@pytest.fixture
def eventually() -> Callable[[Callable[[], bool]], None]:
    """Wait until a condition holds; fails after a minute."""

    def wait(condition: Callable[[], bool]) -> None:
        deadline = time.monotonic() + WAIT_SECONDS
        while not condition():
            assert time.monotonic() < deadline, "not within %d s" % WAIT_SECONDS
            time.sleep(0.1)

    return wait


@pytest.fixture
def name() -> str:
    """A name that nothing else has."""
    return "test-%s" % uuid.uuid4()


@pytest.fixture(scope="session")
def target() -> Target:
    """The cluster that the hosts know, as device-config names it."""
    return deviceconfig.target(deviceconfig.parse({"pool": "xcp"}), "")


@pytest.fixture
def real_cluster(target: Target) -> Iterator[Cluster]:
    """A connection with that user's rights."""
    cluster = connect(target, 30)
    yield cluster
    cluster.close()


@pytest.fixture
def stranger(target: Target) -> Callable[[str], tuple[str, Closing]]:
    """Opens an image of pool `xcp` for writing, on a connection of its own; returns its address and how to close."""

    def open_image(name: str) -> tuple[str, Closing]:
        handle = rados.Rados(conffile=target.conffile, rados_id=target.user)
        handle.connect()
        context = handle.open_ioctx("xcp")
        image: Any = rbd.Image(context, name)

        def close() -> None:
            try:
                image.close()
            except rbd.Error:
                pass  # a fenced client cannot even say goodbye
            context.close()
            handle.shutdown()

        return str(handle.get_addrs()), close

    return open_image


@pytest.fixture
def scribe(target: Target) -> Callable[[str, int, int], None]:
    """Writes to an image of pool `xcp` on a connection of its own."""

    def write(name: str, offset: int, length: int) -> None:
        with rados.Rados(conffile=target.conffile, rados_id=target.user) as handle:
            with handle.open_ioctx("xcp") as context, rbd.Image(context, name) as image:
                image.write(b"x" * length, offset)
                image.flush()

    return write
