"""Masters and members: joining, forwarding, work on another host, starts."""

import json
import os
import stat
import time
from collections.abc import Iterator
from typing import Any

import pytest
from xapi_pool import PASSWORD, Host, hosts

from lab.xapi import registry, remote
from lab.xapi.failure import Failure
from lab.xapi.member import Member


@pytest.fixture
def pair() -> Iterator[list[Host]]:
    with hosts(2) as made:
        yield made


def join(member: Host, master: Host) -> None:
    member.call("pool.join", member.login(), master.address, "root", PASSWORD)


def failure(host: Host, method: str, *params: Any) -> list[str]:
    with pytest.raises(Failure) as caught:
        host.call(method, *params)
    return caught.value.description


def until(condition: Any) -> None:
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_three_hosts_form_a_pool() -> None:
    with hosts(3) as (master, *members):
        uuids = [host.uuid for host in (master, *members)]
        for member in members:
            join(member, master)
        session = master.login()
        records = master.call("host.get_all_records", session)
        assert sorted(record["uuid"] for record in records.values()) == sorted(uuids)
        for record in records.values():
            domain = master.call("VM.get_record", session, record["control_domain"])
            assert record["resident_VMs"] == [record["control_domain"]] and domain["is_control_domain"]
            assert master.call("host_metrics.get_live", session, record["metrics"])
        assert len(master.call("pool.get_all", session)) == 1
        (network,) = master.call("network.get_all", session)
        assert len(master.call("network.get_PIFs", session, network)) == 3
        assert (members[0].root / "etc/xensource/pool.conf").read_text() == "slave:%s" % master.address


def test_member_refuses_on_tcp_and_forwards_its_socket(pair: list[Host]) -> None:
    master, member = pair
    join(member, master)
    slave = ["HOST_IS_SLAVE", master.address]
    assert failure(member, "session.login_with_password", "root", PASSWORD) == slave
    session = member.login()
    assert failure(member, "pool.get_all", session) == slave
    assert member.call("host.get_all", session, local=True) == master.call("host.get_all", session)
    this = master.call("session.get_this_host", session, session)
    assert master.call("host.get_uuid", session, this) == member.uuid
    assert "VM.start" in member.call("system.listMethods")


def test_wrong_password_and_unreachable_master(pair: list[Host]) -> None:
    master, member = pair
    session = member.login()
    assert failure(member, "pool.join", session, master.address, "root", "guess")[0] == (
        "SESSION_AUTHENTICATION_FAILED"
    )
    assert failure(member, "pool.join", session, "127.0.0.99", "root", PASSWORD) == [
        "POOL_JOINING_HOST_CONNECTION_FAILED"
    ]
    member.master.db.create("SR", name_label="shared", shared=True)
    assert failure(member, "pool.join", session, master.address, "root", PASSWORD) == [
        "POOL_JOINING_HOST_CANNOT_CONTAIN_SHARED_SRS"
    ]
    assert len(master.call("host.get_all", master.login())) == 1


def test_local_functions_run_on_the_named_host(pair: list[Host], monkeypatch: pytest.MonkeyPatch) -> None:
    master, member = pair
    seen: list[str] = []

    def call_plugin(name: str, function: str, session_ref: str, arguments: dict[str, str]) -> str:
        seen.append(name)
        if function == "fail":
            raise Failure("CODE", "p1", "p2")
        return json.dumps(arguments)

    monkeypatch.setitem(registry.local_functions, "call_plugin", call_plugin)
    join(member, master)
    there = master.master.db.by_uuid("host", member.uuid)
    ctx = master.master.context("test")
    for host in (there, master.master.host):
        assert ctx.on_host(host).call_plugin("hci", "status", "s", {"a": "ü"}) == json.dumps({"a": "ü"})
        with pytest.raises(Failure) as caught:
            ctx.on_host(host).call_plugin("hci", "fail", "s", {})
        assert caught.value.description == ["CODE", "p1", "p2"]
    member.stop()
    with pytest.raises(Failure) as caught:
        ctx.on_host(there).call_plugin("hci", "status", "s", {})
    assert caught.value.description == ["HOST_OFFLINE", there]


@pytest.mark.parametrize("path", [remote.RUN, remote.HELLO, remote.JOIN])
def test_nobody_without_the_secret_runs_anything(pair: list[Host], path: str) -> None:
    master, member = pair
    join(member, master)
    document = {"name": "call_plugin", "arguments": {}, "session": "OpaqueRef:none", "host": "", "booted": True}
    for host in pair:
        with pytest.raises((Failure, remote.Unreachable)) as caught:
            remote.ask(host.address, host.port, path, document, "guess")
        assert "403" in str(caught.value) or "SESSION_INVALID" in str(caught.value)


def test_a_master_remembers_across_starts(pair: list[Host]) -> None:
    master, member = pair
    join(member, master)
    session = master.login()
    host = master.call("pool.get_master", session, master.call("pool.get_all", session)[0])
    pbd = master.master.db.create("PBD", host=host, currently_attached=True)
    before = master.call("host.get_all_records", session)
    token = master.call("event.from", session, ["host"], "", 0.0)["token"]
    master.stop()
    master.start()
    session = master.login()
    after = master.call("host.get_all_records", session)
    assert after.keys() == before.keys()
    assert master.call("PBD.get_currently_attached", session, pbd)
    assert master.call("event.from", session, ["host"], token, 0.0)["token"] > token
    assert len(member.call("host.get_all", member.login(), local=True)) == 2  # same secret, same master


def test_a_boot_detaches_what_was_attached(pair: list[Host]) -> None:
    host = pair[0]
    db = host.master.db
    pbd = db.create("PBD", host=host.master.host, currently_attached=True)
    vm = db.create("VM", resident_on=host.master.host, power_state="Running")
    host.stop()
    (host.root / "run/lab-xapi-booted").unlink()
    host.start()
    session = host.login()
    until(lambda: not host.call("PBD.get_currently_attached", session, pbd))
    assert host.call("VM.get_power_state", session, vm) == "Halted"


def test_a_member_announces_its_start(pair: list[Host]) -> None:
    master, member = pair
    join(member, master)
    session = master.login()
    there = master.master.db.by_uuid("host", member.uuid)
    pbd = master.master.db.create("PBD", host=there, currently_attached=True)
    member.stop()
    (member.root / "run/lab-xapi-booted").unlink()
    master.master.db.set("host", there, enabled=False)
    member.start()
    assert member.node is not None and isinstance(member.node.role, Member)
    until(lambda: master.call("host.get_enabled", session, there))
    until(lambda: not master.call("PBD.get_currently_attached", session, pbd))


def test_a_silent_member_is_taken_for_dead_until_it_speaks(pair: list[Host]) -> None:
    master, member = pair
    settings = master.root / "etc/lab/xapi.json"
    text = json.loads(settings.read_text())
    settings.write_text(json.dumps({**text, "heartbeat": 0.05, "silence": 0.3}))
    join(member, master)
    master.stop()
    master.start()
    session = master.login()
    metrics = master.master.db.field("host", master.master.db.by_uuid("host", member.uuid), "metrics")
    until(lambda: not master.call("host_metrics.get_live", session, metrics))
    member.stop()
    member.start()
    until(lambda: master.call("host_metrics.get_live", session, metrics))
    (own,) = [m for m in master.call("host_metrics.get_all", session) if m != metrics]
    assert master.call("host_metrics.get_live", session, own)


def test_a_member_without_its_master_says_so(pair: list[Host]) -> None:
    master, member = pair
    join(member, master)
    master.stop()
    with pytest.raises(Failure) as caught:
        member.login()
    assert caught.value.description == ["HOST_IN_EMERGENCY_MODE"]


def test_the_socket_is_roots_alone(pair: list[Host]) -> None:
    mode = os.stat(pair[0].socket)
    assert stat.S_ISSOCK(mode.st_mode) and stat.S_IMODE(mode.st_mode) & 0o077 == 0
