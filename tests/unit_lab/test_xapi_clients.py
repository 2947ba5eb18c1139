"""Clients that nobody here wrote: Xen-API's Python client and Xen Orchestra's xen-api."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from xapi_pool import PASSWORD, Host, hosts

from lab import npm

CLIENTS = Path(__file__).parent / "clients"


@pytest.fixture(scope="module")
def modules() -> Path:
    """The folder into which npm has installed xen-api."""
    return npm.modules()


@pytest.fixture(scope="module")
def pool() -> Iterator[list[Host]]:
    """Two hosts in one pool."""
    with hosts(2) as made:
        made[1].call("pool.join", made[1].login(), made[0].address, "root", PASSWORD)
        yield made


def python_client(target: str, user: str = "root", password: str = PASSWORD) -> dict[str, Any]:
    command = [sys.executable, str(CLIENTS / "xenapi_client.py"), target, user, password]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, timeout=60, check=True)
    seen: dict[str, Any] = json.loads(done.stdout)
    return seen


@pytest.mark.parametrize("way", ["tcp", "tcp with a slash", "master's socket", "member's socket"])
def test_python_client(pool: list[Host], way: str) -> None:
    master, member = pool
    target, host = {
        "tcp": (master.url, master),
        "tcp with a slash": (master.url + "/", master),
        "master's socket": (str(master.socket), master),
        "member's socket": (str(member.socket), member),
    }[way]
    seen = python_client(target, password=PASSWORD if way.startswith("tcp") else "")
    assert seen["description"] == 'text with <tags>, "quotes" & ümlauts'
    assert (seen["hosts"], seen["version"], seen["operations"]) == (2, "8.3.0", ["mod"])
    assert (seen["memory"], seen["live"], seen["counted"]) == (str(64 << 30), True, 1)
    assert len(seen["updated"]) == 18 and seen["updated"][8] == "T" and seen["updated"].endswith("Z")
    assert seen["shadow"] == 1.0
    assert seen["invalid"] == ["HANDLE_INVALID", "VM", "OpaqueRef:none"]
    assert seen["this_host"] == host.uuid


@pytest.mark.parametrize("transport", ["auto", "json-rpc", "xml-rpc"])
def test_xen_orchestras_client(pool: list[Host], modules: Path, transport: str) -> None:
    master = pool[0]
    name = "appears for %s" % transport
    command = ["node", str(CLIENTS / "watch.mjs"), str(modules), master.url, "root", PASSWORD, "SR", name, transport]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as client:
        assert client.stdout is not None
        known = json.loads(client.stdout.readline())
        assert known["connected"]
        assert {"pool", "host", "VM", "host_metrics", "network", "PIF"} <= set(known["types"])
        sr = master.master.db.create("SR", name_label=name, type="ceph")
        found = json.loads(client.stdout.readline())["found"]
        assert (found["ref"], found["name_label"]) == (sr, name)
        assert client.wait(timeout=30) == 0


def test_xen_orchestras_client_follows_a_member_to_the_master(pool: list[Host], modules: Path) -> None:
    master, member = pool
    master.master.db.create("VM", name_label="seen through a member")
    command = ["node", str(CLIENTS / "watch.mjs"), str(modules), member.url, "root", PASSWORD, "VM"]
    done = subprocess.run(
        [*command, "seen through a member"], stdout=subprocess.PIPE, text=True, timeout=60, check=True
    )
    assert json.loads(done.stdout.splitlines()[-1])["found"]["name_label"] == "seen through a member"
