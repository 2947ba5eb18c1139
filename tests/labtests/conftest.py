"""A lab for the tests: made once, torn down at the end.

LAB_KEEP=1 leaves it running; LAB_NAME=NAME uses one that is up already and leaves it alone.
"""

import os
import sys
from collections.abc import Iterator

import pytest

from lab.lab import Lab


@pytest.fixture(scope="session")
def lab() -> Iterator[Lab]:
    """The lab of envs/three.toml: host1 to host3, node1 to node3."""
    if os.geteuid() != 0:
        pytest.fail("the lab needs root")
    if "LAB_NAME" in os.environ:
        yield Lab(os.environ["LAB_NAME"])
        return
    lab = Lab("test-%d" % os.getpid())
    lab.up()
    yield lab
    if os.environ.get("LAB_KEEP") == "1":
        sys.stderr.write("the lab is kept: tests/lab/lab --name %s\n" % lab.name)
    else:
        lab.down()
