"""VMs and their disks: driver calls, hooks, refusals; plugins; and a pool of two hosts."""

import json
import time
from collections.abc import Iterator
from pathlib import Path
from threading import Thread

import pytest
from acting_pool import Pool, point_paths, restart, running
from xapi_pool import PASSWORD

from lab.xapi.schema import RECORDINGS


@pytest.fixture
def pool(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Iterator[Pool]:
    point_paths(monkeypatch, tmp_path)
    with running(tmp_path, capsys) as started:
        started.calls()
        yield started


@pytest.fixture
def pair(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Iterator[Pool]:
    """Two hosts in one pool."""
    point_paths(monkeypatch, tmp_path)
    with running(tmp_path, capsys, count=2) as started:
        words = ("master-address=127.0.0.1", "master-username=root", f"master-password={PASSWORD}")
        started.xe("pool-join", *words, host=1)
        started.xe("event-wait", "class=host", "name-label=host2", "enabled=true")
        wait_for_driver(started)
        started.calls()
        yield started


def wait_for_driver(pool: Pool) -> None:
    """The member registers its drivers in the background; the last one asked is the third."""
    seen = 0
    for _ in range(600):
        seen += pool.commands().count("sr_get_driver_info")
        if seen >= 3:
            return
        time.sleep(0.1)
    raise AssertionError("the member has not registered its drivers")


def machine(pool: Pool, vdi: str) -> str:
    vm = pool.xe("vm-create", "name-label=vm1")
    pool.xe("vbd-create", f"vm-uuid={vm}", f"vdi-uuid={vdi}", "device=0")
    return vm


def hook(pool: Pool, name: str, code: int = 0, text: str = "") -> None:
    log = pool.root / "hook-log"
    pool.program(
        f"hooks/{name}/10-gate",
        "import sys\n"
        f"open({str(log)!r}, 'a').write({name!r} + ' ' + ' '.join(sys.argv[1:]) + chr(10))\n"
        f"print({text!r}, end='')\nsys.exit({code})\n",
    )


def hooks_run(pool: Pool) -> list[str]:
    return (pool.root / "hook-log").read_text("utf-8").splitlines()


def test_vm_life(pool: Pool) -> None:
    vdi = pool.vdi(pool.sr())
    vm = machine(pool, vdi)
    pool.calls()
    pool.xe("vm-start", "vm=vm1")
    calls = pool.calls()
    assert [call["command"] for call in calls] == ["vdi_epoch_begin", "vdi_attach", "vdi_activate"]
    assert calls[1]["params"]["args"] == ["true"]
    shown = pool.xe("vbd-list", f"vm-uuid={vm}", "params=device,currently-attached")
    assert shown.splitlines() == ["device ( RO)                : xvda", "    currently-attached ( RO): true"]
    host_uuid = pool.hosts[0].uuid
    config = pool.db.field("VDI", pool.db.by_uuid("VDI", vdi), "sm_config")
    assert config[f"read-caching-enabled-on-{host_uuid}"] == "false"
    assert config[f"read-caching-reason-{host_uuid}"] == "SR_NOT_SUPPORTED"
    pool.xe("vm-reboot", "vm=vm1", "force=true")
    assert pool.commands() == ("vdi_deactivate vdi_detach vdi_epoch_end vdi_epoch_begin vdi_attach vdi_activate")
    pool.xe("vm-shutdown", "vm=vm1", "--force")
    assert pool.commands() == "vdi_deactivate vdi_detach vdi_epoch_end"
    assert pool.xe("vm-list", f"uuid={vm}", "params=power-state", "--minimal") == "halted"
    pool.xe("vm-destroy", f"uuid={vm}")
    assert (pool.commands(), pool.xe("vbd-list", "--minimal")) == ("", "")


def test_in_use(pool: Pool) -> None:
    sr = pool.sr()
    vdi = pool.vdi(sr)
    vm = machine(pool, vdi)
    pool.xe("vm-start", "vm=vm1")
    pool.calls()
    for verb in (("vdi-destroy",), ("vdi-resize", "disk-size=1GiB")):
        error = pool.refused(verb[0], f"uuid={vdi}", *verb[1:])
        assert error.splitlines()[1:] == [f"vdi: {vdi} (disk-a)", f"operation: {verb[0][4:]}"]
    pbd = pool.xe("pbd-list", "--minimal")
    assert f"vdi: {vdi} (disk-a)" in pool.refused("pbd-unplug", f"uuid={pbd}")
    error = pool.refused("vm-start", f"uuid={vm}")
    assert error.splitlines()[1:] == [f"vm: {vm} (vm1)", "expected: halted", "actual: running"]
    pool.xe("vm-create", "name-label=vm2")
    second = pool.xe("vm-list", "name-label=vm2", "--minimal")
    pool.xe("vbd-create", f"vm-uuid={second}", f"vdi-uuid={vdi}", "device=0")
    assert f"vdi: {vdi} (disk-a)" in pool.refused("vm-start", f"uuid={second}")
    assert pool.commands() == ""


def test_fault_while_starting(pool: Pool) -> None:
    machine(pool, pool.vdi(pool.sr()))
    pool.calls()
    for command in ("vdi_epoch_begin", "vdi_attach", "vdi_activate"):
        pool.faults(**{command: 46})
        error = pool.refused("vm-start", "vm=vm1")
        assert error == "Error code: SR_BACKEND_FAILURE_46\nError parameters: , told to fail, \n"
        assert pool.xe("vm-list", "name-label=vm1", "params=power-state", "--minimal") == "halted"
    pool.faults()
    pool.xe("vm-start", "vm=vm1")


def test_fault_while_stopping_keeps_the_disk_attached(pool: Pool) -> None:
    machine(pool, pool.vdi(pool.sr()))
    pool.xe("vm-start", "vm=vm1")
    pool.faults(vdi_detach=47)
    assert "SR_BACKEND_FAILURE_47" in pool.refused("vm-shutdown", "vm=vm1", "--force")
    pool.faults()
    restart(pool.hosts[0])
    pbd = pool.xe("pbd-list", "--minimal")
    assert "in use" in pool.refused("pbd-unplug", f"uuid={pbd}")


def test_dom0_gets_the_drivers_path(pool: Pool) -> None:
    vdi = pool.vdi(pool.sr())
    dom0 = pool.xe("vm-list", "is-control-domain=true", "--minimal")
    vbd = pool.xe("vbd-create", f"vm-uuid={dom0}", f"vdi-uuid={vdi}", "device=autodetect", "mode=ro")
    pool.xe("vbd-plug", f"uuid={vbd}")
    assert pool.commands() == "vdi_attach vdi_activate"
    path = str(pool.root / f"sm/disk-{vdi}")
    assert pool.xe("vbd-param-get", f"uuid={vbd}", "param-name=device") == path
    assert "already attached" in pool.refused("vbd-plug", f"uuid={vbd}")
    pool.xe("vbd-unplug", f"uuid={vbd}")
    assert pool.commands() == "vdi_deactivate vdi_detach"
    pool.xe("vbd-destroy", f"uuid={vbd}")


def test_hooks(pool: Pool) -> None:
    vm = machine(pool, pool.vdi(pool.sr()))
    for name in ("vm-pre-start", "vm-pre-shutdown", "vm-post-destroy", "vm-pre-reboot"):
        hook(pool, name)
    pool.xe("vm-start", "vm=vm1")
    pool.xe("vm-reboot", "vm=vm1", "--force")
    pool.xe("vm-shutdown", "vm=vm1", "--force")
    assert hooks_run(pool) == [
        f"{name} -vmuuid {vm} -reason {reason}"
        for name, reason in (
            ("vm-pre-start", "none"),
            ("vm-pre-shutdown", "hard-reboot"),
            ("vm-post-destroy", "hard-reboot"),
            ("vm-pre-reboot", "none"),
            ("vm-pre-start", "none"),
            ("vm-pre-shutdown", "hard-shutdown"),
            ("vm-post-destroy", "hard-shutdown"),
        )
    ]


def test_a_gate_keeps_the_vm_running(pool: Pool) -> None:
    machine(pool, pool.vdi(pool.sr()))
    pool.xe("vm-start", "vm=vm1")
    pool.calls()
    hook(pool, "vm-pre-shutdown", code=2, text="Ceph needs this VM")
    assert pool.refused("vm-shutdown", "vm=vm1", "--force").splitlines() == [
        "3rd party xapi hook failed",
        "hook_name: vm-pre-shutdown/10-gate",
        "reason: hard-shutdown",
        "stdout: Ceph needs this VM",
        "exit_code: 2",
    ]
    assert pool.xe("vm-list", "name-label=vm1", "params=power-state", "--minimal") == "running"
    assert pool.commands() == ""
    hook(pool, "vm-pre-shutdown", code=1)
    pool.xe("vm-shutdown", "vm=vm1", "--force")


def test_second_shutdown_waits_behind_the_first(pool: Pool) -> None:
    machine(pool, pool.vdi(pool.sr()))
    pool.xe("vm-start", "vm=vm1")
    pool.program("hooks/vm-pre-shutdown/10-slow", "import time\ntime.sleep(2)\n")
    session = pool.hosts[0].login()
    vm = next(iter(pool.db.where("VM", name_label="vm1")))
    first = Thread(target=pool.hosts[0].call, args=("VM.hard_shutdown", session, vm))
    first.start()
    while not pool.db.field("VM", vm, "current_operations"):
        pass
    error = pool.refused("vm-shutdown", f"uuid={pool.db.field('VM', vm, 'uuid')}", "--force")
    first.join()
    assert "actual: halted" in error


def test_blocked_operation(pool: Pool) -> None:
    machine(pool, pool.vdi(pool.sr()))
    vm = pool.xe("vm-list", "name-label=vm1", "--minimal")
    hook(pool, "vm-pre-shutdown")
    pool.xe("vm-start", "vm=vm1")
    pool.xe("vm-param-set", f"uuid={vm}", "blocked-operations:hard_shutdown=no")
    error = pool.refused("vm-shutdown", "vm=vm1", "--force")
    assert error.splitlines()[1:] == [f"ref: {vm} (vm1)", "code: no"]
    assert not (pool.root / "hook-log").exists()


def test_clean_shutdown_needs_the_guest(pool: Pool) -> None:
    vm = machine(pool, pool.vdi(pool.sr()))
    ref = pool.db.by_uuid("VM", vm)
    pool.db.set("VM", ref, HVM_boot_policy="BIOS order", domain_type="hvm")
    pool.xe("vm-start", "vm=vm1")
    assert f"vm: {vm} (vm1)" in pool.refused("vm-shutdown", "vm=vm1")
    metrics = pool.db.create("VM_guest_metrics", other={"feature-shutdown": "1"})
    pool.db.set("VM", ref, guest_metrics=metrics)
    pool.xe("vm-shutdown", "vm=vm1")


def test_plugin(pool: Pool) -> None:
    pool.program(
        "plugins/echo",
        "import sys, xmlrpc.client\n"
        "params, name = xmlrpc.client.loads(sys.argv[1])\n"
        "value = {'Status': 'Success', 'Value': name + repr(sorted(params[1].items()))}\n"
        "print(xmlrpc.client.dumps((value,), methodresponse=True))\n",
    )
    host = pool.xe("host-list", "--minimal")
    (pool.root / "note").write_text("from a file", "utf-8")
    shown = pool.xe(
        "host-call-plugin",
        f"host-uuid={host}",
        "plugin=echo",
        "fn=osd-status",
        "args:a=b",
        f"args:n:file={pool.root / 'note'}",
    )
    assert shown == "osd-status[('a', 'b'), ('n', 'from a file')]"
    error = pool.refused("host-call-plugin", f"host-uuid={host}", "plugin=nope", "fn=x")
    assert error == "The requested plug-in could not be found.\nname: nope\n"


def test_pool_of_two(pair: Pool) -> None:
    hosts = pair.xe("host-list", "params=name-label", "--minimal")
    assert sorted(hosts.split(",")) == ["host1", "host2"]
    uuid = pair.xe("sr-create", "name-label=golden", "type=ctr", "shared=true", "device-config:pool=hci")
    calls = pair.calls()
    flags = sorted((call["command"], call["params"]["device_config"]["SRmaster"]) for call in calls)
    assert flags == [
        ("sr_attach", "false"),
        ("sr_attach", "true"),
        ("sr_create", "true"),
        ("sr_update", "true"),
        ("sr_update", "true"),
    ]
    configs = [json.dumps(call["params"]["device_config"]) for call in calls if "attach" in call["command"]]
    assert len({config.replace("false", "true") for config in configs}) == 1
    assert len({call["params"]["host_ref"] for call in calls}) == 2
    assert pair.xe("pbd-list", f"sr-uuid={uuid}", "params=currently-attached", "--minimal") == "true,true"
    assert pair.xe("sr-list", f"uuid={uuid}", "params=host", "--minimal") == "<shared>"
    vdi = pair.vdi(uuid)
    vm = machine(pair, vdi)
    pair.xe("vm-start", f"uuid={vm}", "on=host2")
    member = pair.db.by_uuid("host", pair.hosts[1].uuid)
    assert {call["params"]["host_ref"] for call in pair.calls()} == {member}
    session = pair.hosts[1].login()  # over the member's own socket
    states = pair.hosts[1].call("VM.get_power_state", session, pair.db.by_uuid("VM", vm), local=True)
    assert states == "Running"
    code, _, error = pair.try_xe("vm-list", host=1)  # over the network a member sends clients away
    assert (code, error.splitlines()[-1]) == (1, "Master IP address: 127.0.0.1")
    pair.xe("vm-shutdown", f"uuid={vm}", "--force")


def test_no_host_for_a_vm(pair: Pool) -> None:
    machine(pair, pair.vdi(pair.sr()))
    for host in pair.xe("host-list", "--minimal").split(","):
        pair.xe("host-disable", f"uuid={host}")
    assert pair.refused("vm-start", "vm=vm1").startswith("There were no servers available")
    pair.xe("host-enable", "host=host2")
    pair.xe("vm-start", "vm=vm1")


def test_allowed_operations_are_the_recorded_ones(pool: Pool) -> None:
    """The recording has one repository, disks in use and not, and an HVM guest without drivers."""
    records = json.loads((RECORDINGS / "records.json").read_text("utf-8"))
    sr = pool.sr()
    used = pool.vdi(sr)
    vm = machine(pool, used)
    pool.db.set("VM", pool.db.by_uuid("VM", vm), HVM_boot_policy="BIOS order", domain_type="hvm")
    pool.xe("vm-start", "vm=vm1")
    snapshot = pool.xe("vdi-snapshot", f"uuid={used}")

    def recorded(cls: str, **equals: object) -> set[str]:
        for record in records[cls].values():
            if all(record[name] == value for name, value in equals.items()):
                return set(record["allowed_operations"])
        raise LookupError(cls)

    def allowed(cls: str, uuid: str) -> set[str]:
        return set(pool.db.field(cls, pool.db.by_uuid(cls, uuid), "allowed_operations"))

    assert allowed("SR", sr) == recorded("SR")
    assert allowed("VDI", used) == recorded("VDI", name_label="vmdisk", is_a_snapshot=False)
    assert allowed("VDI", snapshot) == recorded("VDI", is_a_snapshot=True)
    vbd = pool.xe("vbd-list", "--minimal")
    assert allowed("VBD", vbd) == recorded("VBD", currently_attached=True)
    running_vm, expected = allowed("VM", vm), recorded("VM", power_state="Running", is_control_domain=False)
    assert running_vm == expected
    pool.xe("vm-shutdown", "vm=vm1", "--force")
    assert allowed("VBD", vbd) == recorded("VBD", currently_attached=False)
