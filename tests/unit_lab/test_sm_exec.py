"""Driver executions compared with those recorded from a real xapi, and every way a driver can fail."""

import json
import os
import stat
import xmlrpc.client
from pathlib import Path
from typing import Any

import pytest

from lab.xapi import hook_exec, plugin_exec, sm_exec, xmlrpc_text
from lab.xapi.failure import Failure

RECORDINGS = Path(__file__).resolve().parents[1] / "lab/xapi/recordings"
RECORDED: list[dict[str, Any]] = json.loads((RECORDINGS / "sm-and-plugin-calls.json").read_text("utf-8"))
DRIVER_CALLS = [call for call in RECORDED if call["file"].startswith("/opt/xensource/sm/")]
PLUGIN_CALLS = [call for call in RECORDED if not call["file"].startswith("/opt/xensource/sm/")]


def program(path: Path, text: str) -> str:
    path.write_text("#!/usr/bin/python3\n" + text, "utf-8")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return str(path)


def answering(directory: Path, stdout: str, tail: str = "") -> str:
    return program(directory / "ProbeSR", f"import os, signal, sys\nsys.stdout.write({stdout!r})\n{tail}\n")


def fault(code: int, text: str) -> str:
    return xmlrpc.client.dumps(xmlrpc.client.Fault(code, text), methodresponse=True)


def reply(value: Any) -> str:
    return xmlrpc.client.dumps((value,), methodresponse=True, allow_none=True)


def failure_of(directory: Path, call: str, stdout: str, tail: str = "") -> tuple[str, ...]:
    with pytest.raises(Failure) as caught:
        sm_exec.execute(
            answering(directory, stdout, tail), call, {"sr_ref": "OpaqueRef:s", "vdi_ref": "OpaqueRef:v"}
        )
    return (caught.value.code, *caught.value.params)


@pytest.mark.parametrize("recorded", DRIVER_CALLS, ids=lambda call: str(call["method"]))
def test_argument_is_the_recorded_one(recorded: dict[str, Any]) -> None:
    assert sm_exec.argument(recorded["method"], recorded["params"][0]) == recorded["argv1"]


@pytest.mark.parametrize("recorded", PLUGIN_CALLS, ids=lambda call: str(call["method"]))
def test_plugin_argument_is_the_recorded_one(recorded: dict[str, Any]) -> None:
    assert xmlrpc_text.call_text(recorded["method"], recorded["params"]) == recorded["argv1"]


@pytest.mark.parametrize("recorded", DRIVER_CALLS, ids=lambda call: str(call["method"]))
def test_recorded_reply_is_accepted(recorded: dict[str, Any]) -> None:
    value = sm_exec.successful(xmlrpc_text.parse(recorded["stdout"]), {}, "")
    sm_exec.checked(recorded["method"], value)


def test_surroundings_of_a_driver(tmp_path: Path) -> None:
    seen = tmp_path / "seen"
    driver = program(
        tmp_path / "ProbeSR",
        "import json, os, sys\n"
        "mask = os.umask(0)\n"
        "seen = dict(argv=sys.argv, env=dict(os.environ), cwd=os.getcwd(), umask=mask,"
        " stdin=os.readlink('/proc/self/fd/0'), fds=sorted(os.listdir('/proc/self/fd'))[:-1])\n"
        f"open({str(seen)!r}, 'w').write(json.dumps(seen))\n"
        f"print({reply(None)!r})\n",
    )
    assert sm_exec.execute(driver, "sr_scan", {"host_ref": "OpaqueRef:h"}) is None
    got = json.loads(seen.read_text("utf-8"))
    got["env"].pop("LC_CTYPE", None)  # Python itself sets this one
    recorded = DRIVER_CALLS[0]
    assert got["env"] == recorded["env"]
    assert (got["cwd"], oct(got["umask"]), got["stdin"]) == (recorded["cwd"], recorded["umask"], "/dev/null")
    assert (len(got["argv"]), got["fds"]) == (2, ["0", "1", "2"])


@pytest.mark.parametrize(
    ("code", "shown"),
    [
        (16, ("SR_DEVICE_IN_USE",)),
        (24, ("VDI_IN_USE",)),
        (38, ("INTERNAL_ERROR", sm_exec.NOT_IMPLEMENTED)),
        (39, ("SR_NOT_EMPTY",)),
        (144, ("VDI_MISSING", "OpaqueRef:s", "OpaqueRef:v")),
        (47, ("SR_BACKEND_FAILURE_47", "", "The SR is not available [opterr=x]", "noise")),
        (1200, ("SR_BACKEND_FAILURE_1200", "", "The SR is not available [opterr=x]", "noise")),
    ],
)
def test_faults(tmp_path: Path, code: int, shown: tuple[str, ...]) -> None:
    text = fault(code, "The SR is not available [opterr=x]")
    assert failure_of(tmp_path, "sr_attach", text, "sys.stderr.write('noise')") == shown


def test_exit_code(tmp_path: Path) -> None:
    tail = "sys.stderr.write('why'); sys.exit(3)"
    assert failure_of(tmp_path, "sr_scan", "out", tail) == (
        "SR_BACKEND_FAILURE",
        "non-zero exit",
        "out",
        "why",
    )


def test_signal(tmp_path: Path) -> None:
    tail = "sys.stdout.flush(); os.kill(os.getpid(), signal.SIGKILL)"
    assert failure_of(tmp_path, "sr_scan", "", tail) == (
        "SR_BACKEND_FAILURE",
        "received signal: SIGKILL",
        "",
        "",
    )


@pytest.mark.parametrize("stdout", ["", "hello\n" + reply(None), reply(None) + "hello"])
def test_junk_on_stdout(tmp_path: Path, stdout: str) -> None:
    code, status, out, _ = failure_of(tmp_path, "sr_scan", stdout)
    assert (code, out) == ("SR_BACKEND_FAILURE", stdout)
    assert status.startswith("XML Error: ")


def test_noise_on_stderr_is_harmless(tmp_path: Path) -> None:
    assert sm_exec.execute(answering(tmp_path, reply(None), "sys.stderr.write('x')"), "sr_scan", {}) is None


def test_nil_where_a_string_is_needed(tmp_path: Path) -> None:
    assert failure_of(tmp_path, "sr_probe", reply(None)) == (
        "INTERNAL_ERROR",
        "XMLRPC.RunTimeTypeError(unbox: Element=nil should contain 'string')",
    )


@pytest.mark.parametrize("value", ["text", "", {"a": "b"}, 1])
def test_anything_but_nil_where_nil_is_needed(tmp_path: Path, value: Any) -> None:
    code, text = failure_of(tmp_path, "sr_attach", reply(value))
    assert code == "INTERNAL_ERROR"
    assert text.startswith("XMLRPC.RunTimeTypeError(")


def test_missing_location(tmp_path: Path) -> None:
    code, empty, text, reason = failure_of(tmp_path, "vdi_create", reply({"uuid": "u"}))
    assert (code, empty, reason) == ("SR_BACKEND_FAILURE", "", "<struct> missing field: location")
    assert text.startswith("XML parse failure: <value>\n  <struct>\n")


def test_attach_needs_params_nbd_only(tmp_path: Path) -> None:
    assert failure_of(tmp_path, "vdi_attach", reply({"params": "/dev/x"}))[-1].endswith(
        "missing field: params_nbd"
    )
    assert sm_exec.execute(answering(tmp_path, reply({"params_nbd": ""})), "vdi_attach", {}) == {
        "params": None,
        "params_nbd": "",
        "o_direct": True,
        "o_direct_reason": "",
        "xenstore_data": {},
    }


GOOD_INFO: dict[str, Any] = {
    **dict.fromkeys(sm_exec.DRIVER_STRINGS, "x"),
    "capabilities": ["SR_PROBE"],
    "configuration": [{"key": "pool", "description": "Ceph pool"}],
}


def test_driver_info(tmp_path: Path) -> None:
    info = sm_exec.execute(answering(tmp_path, reply({**GOOD_INFO, "more": 1})), "sr_get_driver_info", {})
    assert (info["capabilities"], info["configuration"]) == (["SR_PROBE"], {"pool": "Ceph pool"})


@pytest.mark.parametrize("field", sorted(GOOD_INFO))
def test_driver_info_rejects_a_missing_or_ill_typed_field(tmp_path: Path, field: str) -> None:
    lacking = {name: value for name, value in GOOD_INFO.items() if name != field}
    for info in (lacking, {**GOOD_INFO, field: 1}):
        assert failure_of(tmp_path, "sr_get_driver_info", reply(info))[0] == "INTERNAL_ERROR"


def test_driver_info_rejects_pairs_for_configuration(tmp_path: Path) -> None:
    info = {**GOOD_INFO, "configuration": [["pool", "Ceph pool"]]}
    assert failure_of(tmp_path, "sr_get_driver_info", reply(info))[0] == "INTERNAL_ERROR"


def plugin(directory: Path, text: str) -> str:
    program(directory / "probe", text)
    return str(directory)


def plugin_failure(directory: str, name: str = "probe") -> tuple[str, ...]:
    with pytest.raises(Failure) as caught:
        plugin_exec.execute(directory, name, "fn", "OpaqueRef:session", {"k": "v"})
    return (caught.value.code, *caught.value.params)


def test_plugin_success(tmp_path: Path) -> None:
    text = f"import sys\nsys.stderr.write('x')\nprint({reply({'Status': 'Success', 'Value': 'grün'})!r})\n"
    assert plugin_exec.execute(plugin(tmp_path, text), "probe", "fn", "OpaqueRef:session", {}) == "grün"


def test_plugin_own_failure(tmp_path: Path) -> None:
    value = {"Status": "Failure", "ErrorDescription": ["HCI_X", "p1", "p2"]}
    assert plugin_failure(plugin(tmp_path, f"print({reply(value)!r})")) == ("HCI_X", "p1", "p2")


@pytest.mark.parametrize("name", ["nope", "../probe", "sub/probe", ""])
def test_plugin_missing(tmp_path: Path, name: str) -> None:
    assert plugin_failure(plugin(tmp_path, ""), name) == ("XENAPI_MISSING_PLUGIN", name)


def test_plugin_value_must_be_a_string(tmp_path: Path) -> None:
    value = {"Status": "Success", "Value": {"a": "b"}}
    assert plugin_failure(plugin(tmp_path, f"print({reply(value)!r})")) == (
        "INTERNAL_ERROR",
        "XMLRPC.RunTimeTypeError(unbox: Element=struct should contain 'string')",
    )


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("import sys\nprint('o', end='')\nsys.stderr.write('e')\nsys.exit(1)", ("non-zero exit", "o", "e")),
        ("import os\nos.kill(os.getpid(), 15)", ("signal: SIGTERM", "", "")),
    ],
)
def test_plugin_ends_badly(tmp_path: Path, text: str, shown: tuple[str, ...]) -> None:
    assert plugin_failure(plugin(tmp_path, text)) == ("XENAPI_PLUGIN_FAILURE", *shown)


def test_plugin_prints_junk(tmp_path: Path) -> None:
    assert plugin_failure(plugin(tmp_path, "print('junk')"))[:3] == (
        "XENAPI_PLUGIN_FAILURE",
        "failed to parse plugin output",
        "junk\n",
    )


def hook(root: Path, name: str, text: str) -> None:
    directory = root / "vm-pre-shutdown"
    directory.mkdir(exist_ok=True)
    program(directory / name, text)


def test_hooks_run_in_order_with_their_arguments(tmp_path: Path) -> None:
    log = tmp_path / "log"
    for name in ("20-b", "10-a"):
        hook(
            tmp_path,
            name,
            f"import sys\nopen({str(log)!r}, 'a').write(' '.join(sys.argv) + chr(10))\nsys.exit(1)",
        )
    directory = os.path.join(str(tmp_path), "vm-pre-shutdown")
    hook_exec.execute(str(tmp_path), "vm-pre-shutdown", ["-vmuuid", "u"], "hard-shutdown")
    hook_exec.execute(str(tmp_path), "no-such-hook", [])
    assert log.read_text("utf-8").splitlines() == [
        f"{directory}/{name} -vmuuid u -reason hard-shutdown" for name in ("10-a", "20-b")
    ]


def test_hook_that_refuses(tmp_path: Path) -> None:
    hook(tmp_path, "10-gate", "import sys\nprint('not now')\nsys.exit(2)")
    hook(tmp_path, "20-never", "open('/nonexistent/x')")
    with pytest.raises(Failure) as caught:
        hook_exec.execute(str(tmp_path), "vm-pre-shutdown", ["-vmuuid", "u"], "hard-shutdown")
    assert (caught.value.code, *caught.value.params) == (
        "XAPI_HOOK_FAILED",
        "vm-pre-shutdown/10-gate",
        "hard-shutdown",
        "not now\n",
        "2",
    )
