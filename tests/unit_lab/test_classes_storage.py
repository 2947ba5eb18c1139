"""Which driver calls each command of ``xe`` causes, with what, and what is left in the database."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from acting_pool import Pool, point_paths, restart, running
from test_sm_exec import DRIVER_CALLS

NAMES = re.compile(r"(OpaqueRef:|DummyRef:\|)?[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


@pytest.fixture
def pool(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Iterator[Pool]:
    point_paths(monkeypatch, tmp_path)
    with running(tmp_path, capsys) as started:
        started.calls()
        yield started


def recorded(method: str, **arguments: Any) -> str:
    """The argument of a recorded execution, its references and UUIDs blotted out."""
    for call in DRIVER_CALLS:
        params = call["params"][0]
        if call["method"] == method and all(params[key] == value for key, value in arguments.items()):
            return blotted(call["argv1"])
    raise LookupError(method)


def blotted(text: str) -> str:
    return NAMES.sub("NAME", text)


def test_driver_is_registered(pool: Pool) -> None:
    restart(pool.hosts[0])
    assert pool.commands() == "sr_get_driver_info"
    assert pool.xe("sm-list", "type=ctr", "params=driver-filename", "--minimal") == str(pool.root / "sm/CtrSR")
    features = pool.xe("sm-list", "type=ctr", "params=features", "--minimal")
    assert "VDI_RESIZE_ONLINE: 2" in features
    assert "ATOMIC_PAUSE" not in features  # unknown to xapi, which drops it


def test_whitelist_of_the_last_file_wins(pool: Pool) -> None:
    (pool.root / "xapi.conf.d").mkdir()
    (pool.root / "xapi.conf.d/99-other.conf.rpmsave").write_text("sm-plugins=ext\n", "utf-8")
    restart(pool.hosts[0])
    assert pool.xe("sm-list", "type=ctr", "--minimal") == ""
    error = pool.refused("sr-create", "name-label=x", "type=ctr")
    assert error == ("The SR could not be connected because the driver was not recognised.\ndriver: ctr\n")
    (pool.root / "xapi.conf.d/zz-ours.conf").write_text("sm-plugins = *\n", "utf-8")
    restart(pool.hosts[0])
    assert pool.xe("sm-list", "type=ctr", "--minimal")


def test_a_bad_driver_is_rejected(pool: Pool) -> None:
    pool.program("sm/CtrSR", "print('no')")
    restart(pool.hosts[0])
    assert pool.xe("sm-list", "type=ctr", "--minimal") == ""


def test_sr_create(pool: Pool) -> None:
    config = ("device-config:pool=hci", "device-config:password=s3cret")
    uuid = pool.xe("sr-create", "name-label=golden", "type=ctr", "shared=true", *config)
    calls = pool.calls()
    assert [call["command"] for call in calls] == ["sr_create", "sr_attach", "sr_update", "sr_update"]
    for call in calls:
        assert blotted(call["argv"]) == recorded(call["command"])
    assert pool.xe("pbd-list", f"sr-uuid={uuid}", "params=currently-attached", "--minimal") == "true"
    assert pool.xe("sr-list", f"uuid={uuid}", "params=physical-size", "--minimal") == "107374182400"
    shown = pool.xe("pbd-list", f"sr-uuid={uuid}", "params=device-config", "--minimal")
    assert re.fullmatch("password_secret: [0-9a-f-]{36}; pool: hci", shown)
    values = [record["value"] for record in pool.db.records("secret").values()]
    assert values.count("s3cret") == 2  # one from SR.create, which stays, and one for the connection


def test_sr_create_reports_success_when_attach_fails(pool: Pool) -> None:
    pool.faults(sr_attach=47)
    uuid = pool.xe("sr-create", "name-label=x", "type=ctr", "shared=true")
    assert pool.commands() == "sr_create sr_attach"
    assert pool.xe("pbd-list", f"sr-uuid={uuid}", "params=currently-attached", "--minimal") == "false"
    task = pool.db.where("task", name_label="Async.PBD.plug")
    assert [record["error_info"][0] for record in task.values()] == ["SR_BACKEND_FAILURE_47"]


def test_sr_create_fault_leaves_nothing(pool: Pool) -> None:
    pool.faults(sr_create=102)
    error = pool.refused("sr-create", "name-label=x", "type=ctr", "shared=true")
    assert error == "Error code: SR_BACKEND_FAILURE_102\nError parameters: , told to fail, \n"
    assert (pool.db.records("SR"), pool.db.records("PBD")) == ({}, {})


def test_unknown_type(pool: Pool) -> None:
    error = pool.refused("sr-create", "name-label=x", "type=nonesuch")
    assert error.splitlines()[1] == "driver: nonesuch"
    assert pool.commands() == ""


@pytest.mark.parametrize("key", ["SRmaster"])
def test_reserved_key(pool: Pool, key: str) -> None:
    error = pool.refused("sr-create", "name-label=x", "type=ctr", f"device-config:{key}=true")
    assert "This key is for internal use only" in error


def test_probe(pool: Pool) -> None:
    assert pool.xe("sr-probe", "type=ctr", "device-config:pool=hci") == "<SRlist/>"
    (call,) = pool.calls()
    assert blotted(call["argv"]) == recorded("sr_probe")
    assert "operation" in pool.refused("sr-probe-ext", "type=ctr")


def test_probe_moves_passwords(pool: Pool) -> None:
    pool.xe("sr-probe", "type=ctr", "device-config:cephx_password=x", "device-config:cephx-secret=y")
    (call,) = pool.calls()
    assert sorted(call["params"]["device_config"]) == ["SRmaster", "cephx-secret", "cephx_password_secret"]


def test_sr_life(pool: Pool) -> None:
    sr = pool.sr("device-config:pool=hci", "device-config:password=s")
    pool.xe("sr-scan", f"uuid={sr}")
    assert pool.commands() == "sr_scan sr_update"
    pool.xe("sr-update", f"uuid={sr}")
    assert pool.commands() == "sr_update"
    pool.xe("sr-param-set", f"uuid={sr}", "name-label=new", "other-config:a=b")
    assert pool.commands() == ""
    pbd = pool.xe("pbd-list", f"sr-uuid={sr}", "--minimal")
    assert pool.refused("sr-destroy", f"uuid={sr}").splitlines() == [
        "The SR is still connected to a host via a PBD. It cannot be destroyed or forgotten.",
        f"sr: {sr} (new)",
    ]
    assert pool.commands() == ""
    pool.xe("pbd-unplug", f"uuid={pbd}")
    assert pool.commands() == "sr_detach"
    pool.xe("pbd-plug", f"uuid={pbd}")
    assert pool.commands() == "sr_attach sr_update sr_update"
    pool.xe("pbd-unplug", f"uuid={pbd}")
    pool.calls()
    pool.xe("sr-destroy", f"uuid={sr}")
    assert pool.commands() == "sr_attach sr_delete"
    assert (pool.db.records("SR"), pool.db.records("PBD")) == ({}, {})
    # The secret of the connection is gone, the one made by SR.create is not.
    assert [r["value"] for r in pool.db.records("secret").values()].count("s") == 1


def test_sr_destroy_needs_no_disks(pool: Pool) -> None:
    sr = pool.sr()
    pool.vdi(sr)
    pool.xe("pbd-unplug", "uuid=" + pool.xe("pbd-list", "--minimal"))
    pool.calls()
    assert pool.refused("sr-destroy", f"uuid={sr}").startswith("The SR operation cannot be performed because")
    assert pool.commands() == ""


def test_forget_and_introduce(pool: Pool) -> None:
    sr = pool.sr("device-config:pool=hci")
    pool.xe("pbd-unplug", "uuid=" + pool.xe("pbd-list", "--minimal"))
    pool.calls()
    pool.xe("sr-forget", f"uuid={sr}")
    assert pool.xe("sr-introduce", f"uuid={sr}", "name-label=again", "type=CTR", "shared=true") == sr
    host = pool.xe("host-list", "--minimal")
    pbd = pool.xe("pbd-create", f"sr-uuid={sr}", f"host-uuid={host}", "device-config:pool=hci")
    assert pool.commands() == ""
    assert "A PBD already exists" in pool.refused("pbd-create", f"sr-uuid={sr}", f"host-uuid={host}")
    pool.xe("pbd-plug", f"uuid={pbd}")
    assert pool.commands() == "sr_attach sr_update sr_update"


def test_faults_around_plugging(pool: Pool) -> None:
    sr = pool.sr()
    pbd = pool.xe("pbd-list", "--minimal")
    pool.faults(sr_detach=46)
    assert "SR_BACKEND_FAILURE_46" in pool.refused("pbd-unplug", f"uuid={pbd}")
    assert pool.xe("pbd-param-get", f"uuid={pbd}", "param-name=currently-attached") == "true"
    pool.faults()
    pool.xe("pbd-unplug", f"uuid={pbd}")
    pool.faults(sr_update=40)
    assert "SR_BACKEND_FAILURE_40" in pool.refused("pbd-plug", f"uuid={pbd}")
    assert pool.xe("pbd-param-get", f"uuid={pbd}", "param-name=currently-attached") == "true"
    assert "SR_BACKEND_FAILURE_40" in pool.refused("sr-scan", f"uuid={sr}")


def test_vdi_create(pool: Pool) -> None:
    sr = pool.sr("device-config:pool=hci", "device-config:password=s")
    vdi = pool.xe("vdi-create", f"sr-uuid={sr}", "name-label=disk-a", "virtual-size=8388608")
    (call,) = pool.calls()
    assert blotted(call["argv"]) == recorded("vdi_create", args=call["params"]["args"])
    assert pool.xe("vdi-param-get", f"uuid={vdi}", "param-name=virtual-size") == "8388608"
    odd = pool.vdi(sr, size="12345")
    assert pool.xe("vdi-param-get", f"uuid={odd}", "param-name=virtual-size") == "12345"


def test_vdi_life(pool: Pool) -> None:
    sr = pool.sr("device-config:pool=hci", "device-config:password=s")
    vdi = pool.vdi(sr)
    pool.xe("vdi-param-set", f"uuid={vdi}", "name-label=other")
    (call,) = pool.calls()
    assert blotted(call["argv"]) == recorded("vdi_update")
    pool.xe("vdi-param-set", f"uuid={vdi}", "other-config:a=b")
    assert pool.commands() == ""
    pool.xe("vdi-update", f"uuid={vdi}")
    assert pool.commands() == "vdi_update"
    pool.xe("vdi-resize", f"uuid={vdi}", "disk-size=16MiB")
    (call,) = pool.calls()
    assert blotted(call["argv"]) == recorded("vdi_resize")
    assert pool.xe("vdi-param-get", f"uuid={vdi}", "param-name=virtual-size") == "16777216"
    assert pool.refused("vdi-resize", f"uuid={vdi}", "disk-size=1GiB", "online=true") == (
        "This function is no longer available.\n"
    )
    pool.xe("vdi-destroy", f"uuid={vdi}")
    assert pool.commands() == "vdi_delete"
    assert pool.xe("vdi-list", "--minimal") == ""


def test_snapshot_and_clone(pool: Pool) -> None:
    sr = pool.sr("device-config:pool=hci", "device-config:password=s")
    vdi = pool.vdi(sr)
    snapshot = pool.xe("vdi-snapshot", f"uuid={vdi}", "new-name-label=ignored")
    first, second = pool.calls()
    assert blotted(first["argv"]) == recorded("vdi_snapshot", driver_params={})
    assert blotted(second["argv"]) == recorded("vdi_update").replace("|VDI.stat", "|VDI.update")
    shown = pool.xe("vdi-list", f"uuid={snapshot}", "params=name-label,is-a-snapshot,snapshot-of")
    assert shown.splitlines() == [
        "name-label ( RW)       : disk-a",
        "    is-a-snapshot ( RO): true",
        f"      snapshot-of ( RO): {vdi}",
    ]
    clone = pool.xe("vdi-clone", f"uuid={vdi}", "new-name-label=mine")
    assert pool.commands() == "vdi_clone vdi_update vdi_update"
    assert pool.xe("vdi-param-get", f"uuid={clone}", "param-name=name-label") == "mine"
    pool.xe("vdi-forget", f"uuid={clone}")
    assert pool.commands() == ""


def test_a_driver_without_clone_gets_a_copy(pool: Pool) -> None:
    sr = pool.sr()
    vdi = pool.vdi(sr)
    disk = pool.root / f"sm/disk-{vdi}"
    disk.write_bytes(b"x" * 8388608)
    pool.faults(vdi_clone=38)
    clone = pool.xe("vdi-clone", f"uuid={vdi}")
    assert pool.commands() == (
        "vdi_clone vdi_create vdi_attach vdi_activate vdi_attach vdi_activate"
        " vdi_deactivate vdi_detach vdi_deactivate vdi_detach"
    )
    assert (pool.root / f"sm/disk-{clone}").read_bytes() == disk.read_bytes()
    pool.faults(vdi_snapshot=38)
    error = pool.refused("vdi-snapshot", f"uuid={vdi}")
    assert error == f"You have attempted a function which is not implemented\nmessage: {sr} (golden)\n"


def test_vdi_copy(pool: Pool) -> None:
    sr = pool.sr("device-config:pool=hci", "device-config:password=s")
    vdi = pool.vdi(sr)
    pool.xe("vdi-copy", f"uuid={vdi}", f"sr-uuid={sr}")
    calls = pool.calls()
    assert " ".join(call["command"] for call in calls) == (
        "vdi_create vdi_attach vdi_activate vdi_attach vdi_activate vdi_deactivate vdi_detach vdi_deactivate vdi_detach"
    )
    assert blotted(calls[1]["argv"]) == recorded("vdi_attach", args=["false"])
    assert blotted(calls[3]["argv"]) == recorded("vdi_attach", args=["true"])
    assert blotted(calls[2]["argv"]) == recorded("vdi_activate", args=["false"])


def test_rename_with_a_fault(pool: Pool) -> None:
    vdi = pool.vdi(pool.sr())
    pool.faults(vdi_update=46)
    error = pool.refused("vdi-param-set", f"uuid={vdi}", "name-label=new")
    assert "Storage_error ([S(Vdi_does_not_exist)" in error
    assert pool.xe("vdi-param-get", f"uuid={vdi}", "param-name=name-label") == "new"


def test_vdi_introduce(pool: Pool) -> None:
    sr = pool.sr()
    uuid = "11111111-2222-3333-4444-555555555555"
    words = (f"uuid={uuid}", f"sr-uuid={sr}", "type=user", f"location={uuid}")
    assert pool.xe("vdi-introduce", *words) == uuid
    (call,) = pool.calls()
    params = call["params"]
    assert (params["new_uuid"], params["vdi_location"], params["vdi_sm_config"]) == (uuid, uuid, {})
    assert not {"vdi_ref", "vdi_uuid"} & set(params)


def test_restart_and_boot(pool: Pool) -> None:
    pool.sr()
    host = pool.hosts[0]
    restart(host)
    assert pool.commands() == "sr_get_driver_info"
    host.stop()
    (host.root / "run/lab-xapi-booted").unlink()
    host.start()
    assert pool.commands() == "sr_get_driver_info sr_attach sr_update"
    host.stop()
    (host.root / "run/lab-xapi-booted").unlink()
    pool.faults(sr_attach=47)
    host.start()
    assert pool.xe("pbd-list", "params=currently-attached", "--minimal") == "false"
    assert pool.xe("message-list", "params=name", "--minimal") == "PBD_PLUG_FAILED_ON_SERVER_START"


def test_other_sessions_lack_the_drivers_rights(pool: Pool) -> None:
    sr = pool.sr()
    vdi = pool.db.by_uuid("VDI", pool.vdi(sr))
    session = pool.hosts[0].login()
    for method, *params in (("VDI.set_virtual_size", vdi, 5), ("VDI.db_forget", vdi)):
        reply = pool.hosts[0].raw(method, [session, *params])
        assert (reply["error"]["message"], reply["error"]["data"]) == ("PERMISSION_DENIED", [""])


def test_drivers_session_dies_with_its_call(pool: Pool) -> None:
    sr = pool.sr()
    pool.xe("sr-scan", f"uuid={sr}")
    session = pool.calls()[0]["params"]["session_ref"]
    assert pool.hosts[0].raw("host.get_all", [session])["error"]["message"] == "SESSION_INVALID"


def test_automatic_scan(pool: Pool) -> None:
    sr = pool.sr()
    host = pool.xe("host-list", "--minimal")
    pool.xe("host-param-set", f"uuid={host}", "other-config:auto-scan-interval=0.2")
    restart(pool.hosts[0])  # the interval is read before each pause
    pool.calls()
    pool.xe("sr-param-set", f"uuid={sr}", "other-config:dirty=")
    pool.xe("event-wait", "class=sr", f"uuid={sr}", "other-config=")
    assert pool.commands() == "sr_scan sr_update"
    pool.xe("sr-param-set", f"uuid={sr}", "other-config:auto-scan=true")
    seen = ""
    # What the driver notes while its notes are being fetched may be missed, so count on no single one.
    while seen.count("sr_scan") < 2 or seen.count("sr_update") < 2:
        seen += pool.commands() + " "
    assert set(seen.split()) == {"sr_scan", "sr_update"}
