"""Shared by the tests of the simulated XAPI."""

from collections.abc import Iterator

import pytest
from xapi_pool import Host, hosts


@pytest.fixture(scope="module")
def host() -> Iterator[Host]:
    """One running host, a pool of its own."""
    with hosts(1) as (only,):
        yield only


@pytest.fixture
def session(host: Host) -> str:
    return host.login()
