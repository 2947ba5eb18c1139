"""What xapi refuses: the recorded replies byte for byte (references apart), and the rules behind them."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from xapi_pool import PASSWORD, Host

import lab.xapi.secret  # noqa: F401 (a class to call asynchronously)
from lab.xapi.failure import Failure
from lab.xapi.schema import RECORDINGS

RECORDED = json.loads((RECORDINGS / "errors.json").read_text(encoding="utf-8"))
NOWHERE = "OpaqueRef:none"
REFERENCE = re.compile(r"OpaqueRef:[0-9a-f-]{36}")
VDI = "OpaqueRef:vdi"


@pytest.fixture(scope="module")
def vdi(host: Host) -> str:
    db = host.master.db
    sr = db.create("SR", name_label="sr", type="dummy")
    return db.create("VDI", ref=VDI, SR=sr, name_label="disk")


CASES: list[tuple[str, list[Any]]] = [
    ("bad ref", [NOWHERE]),
    ("unknown method", []),
    ("wrong arity", []),
    ("wrong type", [VDI, 5]),
    ("read-only field", [VDI, 5]),
    ("get_by_uuid unknown", ["00000000-0000-0000-0000-000000000000"]),
]


@pytest.mark.parametrize(("name", "params"), CASES)
def test_recorded_error(name: str, params: list[Any], host: Host, session: str, vdi: str) -> None:
    recorded = RECORDED[name]
    assert host.raw(recorded["method"], [session, *params]) == recorded["reply"]


def test_bad_session(host: Host) -> None:
    recorded = RECORDED["bad session"]
    assert host.raw(recorded["method"], [NOWHERE]) == recorded["reply"]


def same_but_references(reply: Any, recorded: Any) -> None:
    assert REFERENCE.sub("REF", json.dumps(reply)) == REFERENCE.sub("REF", json.dumps(recorded))


@pytest.fixture(scope="module")
def running(host: Host) -> dict[str, str]:
    """A disk on a plugged SR that a running VM has attached."""
    db = host.master.db
    db.create("SM", type="ctr", features={"VDI_DELETE": 1, "VDI_RESIZE": 1}, capabilities=["VDI_DELETE", "VDI_RESIZE"])
    made = {"sr": db.create("SR", name_label="golden", type="ctr", shared=True)}
    db.create("PBD", SR=made["sr"], host=host.master.host, currently_attached=True)
    made["vdi"] = db.create("VDI", SR=made["sr"], name_label="disk", location="1", managed=True)
    made["vm"] = db.create("VM", name_label="vm", power_state="Running", resident_on=host.master.host)
    db.create("VBD", VM=made["vm"], VDI=made["vdi"], currently_attached=True, mode="RW", type="Disk")
    return made


@pytest.mark.parametrize(
    ("name", "target", "rest"),
    [
        ("sr destroy while plugged", "sr", []),
        ("vdi destroy in use", "vdi", []),
        ("vdi resize in use", "vdi", [1 << 30]),
        ("vm start running", "vm", [False, False]),
    ],
)
def test_recorded_refusal(
    name: str, target: str, rest: list[Any], host: Host, session: str, running: dict[str, str]
) -> None:
    recorded = RECORDED[name]
    reply = host.raw(recorded["method"], [session, running[target], *rest])
    same_but_references(reply, recorded["reply"])
    assert name == "sr destroy while plugged" or running[target] in reply["error"]["data"]


def test_recorded_refusals_of_strangers(host: Host, session: str, running: dict[str, str]) -> None:
    params: dict[str, list[Any]] = {
        "unknown plugin": [host.master.host, "nope", "fn", {}],
        "unknown sr type": [host.master.host, {}, 0, "l", "d", "nonesuch", "user", False, {}],
        "db_introduce by a client": [
            "c1b4ac5b-38a1-4c5c-9c3a-7bfd6a3b8a52", "l", "d", running["sr"], "user", False, False, {}, "x",
        ],
    }  # fmt: skip
    for name, arguments in params.items():
        recorded = RECORDED[name]
        same_but_references(host.raw(recorded["method"], [session, *arguments]), recorded["reply"])


def test_every_recorded_error_is_looked_at() -> None:
    text = Path(__file__).read_text(encoding="utf-8")
    assert [name for name in RECORDED if '"%s"' % name not in text] == []


def failure(host: Host, method: str, *params: Any) -> list[str]:
    with pytest.raises(Failure) as caught:
        host.call(method, *params)
    return caught.value.description


def test_arity_comes_before_the_session_and_types_too(host: Host) -> None:
    mismatch = ["MESSAGE_PARAMETER_COUNT_MISMATCH", "VM.get_record", "1", "2"]
    assert failure(host, "VM.get_record", NOWHERE, "a", "b") == mismatch
    assert failure(host, "VM.get_record", NOWHERE, 7) == [
        "INTERNAL_ERROR",
        "Failure(\"Expected string, got 'I(7)'\")",
    ]
    assert failure(host, "VM.get_record") == ["MESSAGE_PARAMETER_COUNT_MISMATCH", "VM.get_record", "1", "-1"]


def test_unknown_method_asks_for_a_session_first(host: Host) -> None:
    assert failure(host, "VM.nonsense", NOWHERE) == ["SESSION_INVALID", NOWHERE]
    assert failure(host, "VM.nonsense") == ["MESSAGE_METHOD_UNKNOWN", "VM.nonsense"]


def test_wrong_password(host: Host) -> None:
    assert failure(host, "session.login_with_password", "root", "guess") == [
        "SESSION_AUTHENTICATION_FAILED",
        "root",
        "Authentication failure",
    ]
    assert host.call("session.login_with_password", "root", PASSWORD).startswith("OpaqueRef:")


@pytest.mark.parametrize("credentials", [("", ""), ("root", "anything")])
def test_local_root_needs_no_password(host: Host, credentials: tuple[str, str]) -> None:
    session = host.call("session.login_with_password", *credentials, local=True)
    assert host.call("session.get_auth_user_name", session, session) == credentials[0]
    host.call("session.logout", session)
    assert failure(host, "pool.get_all", session) == ["SESSION_INVALID", session]


def test_map_fields(host: Host, session: str, vdi: str) -> None:
    host.call("VDI.add_to_other_config", session, vdi, "k", "v")
    assert failure(host, "VDI.add_to_other_config", session, vdi, "k", "w") == [
        "MAP_DUPLICATE_KEY",
        "VDI",
        "other_config",
        vdi,
        "k",
    ]
    host.call("VDI.remove_from_other_config", session, vdi, "k")
    host.call("VDI.remove_from_other_config", session, vdi, "k")
    assert host.call("VDI.get_other_config", session, vdi) == {}


def test_set_fields(host: Host, session: str, vdi: str) -> None:
    host.call("VDI.add_tags", session, vdi, "a")
    host.call("VDI.add_tags", session, vdi, "a")
    assert host.call("VDI.get_tags", session, vdi) == ["a"]
    host.call("VDI.remove_tags", session, vdi, "a")
    assert host.call("VDI.get_tags", session, vdi) == []


@pytest.mark.parametrize("field", ["virtual_size", "managed", "snapshot_time", "cbt_enabled", "missing"])
def test_only_the_driver_of_the_sr_sets_its_fields(host: Host, session: str, vdi: str, field: str) -> None:
    value: Any = {"virtual_size": 5, "snapshot_time": "20260101T00:00:00Z"}.get(field, True)
    method = "VDI.set_%s" % field
    assert failure(host, method, session, vdi, value) == ["PERMISSION_DENIED", ""]
    other = host.master.sm_session("OpaqueRef:other")
    assert failure(host, method, other, vdi, value) == ["PERMISSION_DENIED", ""]
    driver = host.master.sm_session(host.master.db.field("VDI", vdi, "SR"))
    host.call(method, driver, vdi, value)
    assert host.call("VDI.get_%s" % field, session, vdi) == value
    host.master.close_session(driver)
    assert failure(host, method, driver, vdi, value) == ["SESSION_INVALID", driver]


@pytest.mark.parametrize("field", ["physical_size", "virtual_allocation", "physical_utilisation"])
def test_only_the_driver_sets_the_sizes_of_its_sr(host: Host, session: str, vdi: str, field: str) -> None:
    sr = host.master.db.field("VDI", vdi, "SR")
    assert failure(host, "SR.set_%s" % field, session, sr, 5) == ["PERMISSION_DENIED", ""]
    host.call("SR.set_%s" % field, host.master.sm_session(sr), sr, 5)
    assert host.call("SR.get_%s" % field, session, sr) == 5


def test_methods_that_are_no_setters_of_clients(host: Host, session: str) -> None:
    assert failure(host, "VDI.set_location", session, VDI, "x") == ["MESSAGE_METHOD_UNKNOWN", "VDI.set_location"]


def test_no_async_mode(host: Host, session: str) -> None:
    assert failure(host, "Async.VM.get_record", session, NOWHERE)[0] == "Fault"


def test_constructor_without_a_field(host: Host, session: str) -> None:
    assert failure(host, "secret.create", session, {}) == [
        "INTERNAL_ERROR",
        'Server_helpers.Dispatcher_FieldNotFound("value")',
    ]


def test_underscored_spelling(host: Host, session: str) -> None:
    task = host.call("task_create", session, "label", "text")
    assert host.call("task_get_name_label", session, task) == "label"
