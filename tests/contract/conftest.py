"""A real cluster for the contract tests: the lab's three nodes, entered by this process."""

import time
from pathlib import Path
from typing import Callable, Iterator, Tuple

import pytest

from cephhci.ceph.cluster import connect
from cephhci.ceph.port import Cluster
from cephhci.target import Target

WAIT_SECONDS = 30


@pytest.fixture
def eventually() -> Callable[[Callable[[], bool]], None]:
    """Wait until a condition holds; fails after 30 s."""

    def wait(condition: Callable[[], bool]) -> None:
        deadline = time.monotonic() + WAIT_SECONDS
        while not condition():
            assert time.monotonic() < deadline, "not within %d s" % WAIT_SECONDS
            time.sleep(0.1)

    return wait


@pytest.fixture(scope="session")
def target(ceph_conf: Path) -> Target:
    """The cluster's administrator: the tests make pools and open images as strangers."""
    return Target("admin", str(ceph_conf), "", "")


@pytest.fixture
def real_cluster(target: Target) -> Iterator[Cluster]:
    cluster = connect(target, 30)
    yield cluster
    cluster.close()


@pytest.fixture
def stranger(target: Target) -> Callable[[str], Tuple[str, Callable[[], None]]]:
    """Opens an image of pool `xcp` for writing on a connection of its own."""
    import rados
    import rbd

    def open_image(name: str) -> Tuple[str, Callable[[], None]]:
        handle = rados.Rados(conffile=target.conffile)
        handle.connect()
        context = handle.open_ioctx("xcp")
        image = rbd.Image(context, name)

        def close() -> None:
            try:
                image.close()
            except rbd.Error:
                pass  # a fenced client cannot even say goodbye
            context.close()
            handle.shutdown()

        return str(handle.get_addrs()), close

    return open_image
