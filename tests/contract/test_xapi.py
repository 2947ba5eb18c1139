"""What SessionPool reads on a real session, and its twin in memory answers alike."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from XenAPI import xapi_local

from cephhci import errors
from cephhci.host.inventory import identity
from cephhci.xapi.pool import SessionPool
from cephhci.xapi.port import HostRecord, MemoryPool, PoolRecord, XapiPool


def memory() -> XapiPool:
    host = HostRecord("h1", "host1", "10.0.0.1", live=True, enabled=True)
    record = PoolRecord("p", "", "h1", ha=False, driver_registered=True, hosts=(host,), srs=())
    return MemoryPool(record, {("h1", "version"): "{}"}, {"s": "value"})


@pytest.fixture(params=["memory", "session"])
def pool(request: Any) -> Iterator[XapiPool]:
    """A pool with at least one host that has our plugin."""
    if request.param == "memory":
        yield memory()
        return
    session = xapi_local()
    session.xenapi.login_with_password("root", "")
    yield SessionPool(session)
    session.xenapi.session.logout()


def test_the_pool(pool: XapiPool) -> None:
    record = pool.read()
    assert record.driver_registered and not record.ha
    assert record.master in {host.uuid for host in record.hosts}
    assert all(host.live and host.enabled for host in record.hosts)
    assert list(record.hosts) == sorted(record.hosts)


def test_calls(pool: XapiPool) -> None:
    host = pool.read().hosts[0].uuid
    assert isinstance(json.loads(pool.call(host, "version", {})), dict)
    with pytest.raises(errors.PluginMissing):
        pool.call(host, "no-such-function", {})


def test_an_unknown_secret(pool: XapiPool) -> None:
    with pytest.raises(errors.XapiFailed):
        pool.secret("00000000-0000-4000-8000-000000000000")


def test_this_host_is_in_the_pool() -> None:
    session = xapi_local()
    session.xenapi.login_with_password("root", "")
    assert identity().host in {host.uuid for host in SessionPool(session).read().hosts}
