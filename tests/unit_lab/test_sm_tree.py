"""The stand-in SM tree against real ones: the same driver, the same calls, the same consequences.

Real trees are those that SM_TREES names (``drivers`` folders, separated by colons). Without any, the stand-in is
held to what was seen on them.
"""

import ast
import functools
import json
import os
import subprocess
import sys
import xml.etree.ElementTree
from pathlib import Path
from typing import Any

import pytest
import XenAPI
from sm import real_tree
from unit_lab.smtree import script

HERE = Path(__file__).resolve().parent
STAND_IN = HERE.parent / "sm"
TREES = [Path(tree) for tree in os.environ.get("SM_TREES", os.environ.get("SM_TREE", "")).split(":") if tree]
NONE = pytest.param(None, marks=pytest.mark.skip("expected: SM_TREES names no real tree"))
Outcome = dict[str, Any]

pytestmark = pytest.mark.timeout(900)


@functools.cache
def outcomes(tree: Path) -> dict[str, Outcome]:
    """What every step of the script caused on a tree."""
    argv = ["unshare", "--mount", "--pid", "--fork", "--kill-child", "/usr/bin/python3", "-B"]
    done = subprocess.run(
        [*argv, str(HERE / "smtree/host.py"), str(tree)],
        input=json.dumps(list(script.SCRIPT.values())).encode(),
        env={**os.environ, "XENAPI": str(Path(XenAPI.__file__).parent)},
        stdout=subprocess.PIPE,
        check=True,
    )
    return dict(zip(script.SCRIPT, json.loads(with_keys(done.stdout.decode(), tree)), strict=True))


def with_keys(stdout: str, tree: Path) -> str:
    """Descriptions of errors, which are worded differently, replaced by the errors' names."""
    for description, key in sorted(errors(tree).items(), key=lambda item: -len(item[0])):
        if description != "Invalid argument":  # also what the system calls an errno
            stdout = stdout.replace(description, "<%s>" % key)
    return stdout


def errors(tree: Path) -> dict[str, str]:
    return {description: name for name, (_, description) in definitions(tree).items()}


def definitions(tree: Path) -> dict[str, tuple[str, str]]:
    """Number and description of every error of a tree."""
    root = xml.etree.ElementTree.parse(module(tree, "XE_SR_ERRORCODES.xml")).getroot()
    return {text(code, "name"): (text(code, "value"), text(code, "description")) for code in root.iter("code")}


def text(code: xml.etree.ElementTree.Element, tag: str) -> str:
    return code.findtext(tag) or ""


def module(tree: Path, name: str) -> Path:
    """A file of a tree, wherever the tree keeps it."""
    places = (tree, tree.parent / "libs/sm", tree.parent / "libs/sm/core")
    return next(place / name for place in places if (place / name).is_file())


def generation(tree: Path) -> str:
    """``ga`` is 8.3 before the QCOW2 work, ``current`` with it."""
    if real_tree.kind(str(tree)) == "package":
        return "upstream"
    return "current" if (tree / "vditype.py").is_file() else "ga"


# --- what the stand-in does, also without a real tree --------------------------------------------------------------


def faults() -> dict[str, tuple[int, str]]:
    found = {name: outcome["reply"] for name, outcome in outcomes(STAND_IN).items()}
    return {name: (reply["fault"], reply["text"]) for name, reply in found.items() if "fault" in reply}


EXPECTED_FAULTS = {
    "no argument": 143, "two arguments": 143, "no XML": 143, "unknown command": 143, "sr_create refused": 42,
    "sr_probe incomplete": 115, "sr_attach refused": 47, "scan refused": 47, "scan raises SMException": 40,
    "scan raises CommandException": 40, "scan raises a failure of XAPI": 40, "scan raises another exception": 1200,
    "update raises SMException": 202, "error key is unknown": 1, "cleanup raises": 49, "load raises": 115,
    "disk load raises": 65, "vdi_create with a control character": 447, "vdi_create with a non-character": 447,
    "vdi_create with a bad size": 1200, "vdi_create refused": 44, "vdi_create raises SMException": 78,
    "vdi_create raises a failure of XAPI": 78, "vdi_update with a control character": 447,
    "vdi_update of an unknown disk": 202, "vdi_resize raises SMException": 110, "vdi_clone unimplemented": 38,
    "vdi_epoch_begin with reset": 38, "vdi_enable_cbt": 66, "vdi_data_destroy of no snapshot": 66,
    "changed blocks with itself": 460, "changed blocks unrelated": 460, "vdi_delete refused": 24,
    "vdi_activate again": 46, "snapshot of the base class": 38, "pause fails": 82, "driver's deactivate fails": 46,
    "driver's attach fails": 46, "driver's activate fails": 46, "tapdisk does not open": 453,
    "tapdisk does not attach": 453, "tag of a living host": 46, "writer finds activating": 46,
    "raw is no type": 1200, "phy is no type": 1200, "file is no type": 1200, "nonsense is no type": 1200,
    "no type at all": 1200, "driver without suffix": 1200,
}  # fmt: skip


def test_faults() -> None:
    assert {name: code for name, (code, _) in faults().items()} == EXPECTED_FAULTS


def test_everything_ends_with_exit_code_0_and_a_quiet_stderr() -> None:
    assert {(outcome["exit"], outcome["stderr"]) for outcome in outcomes(STAND_IN).values()} == {(0, "")}


def test_session_and_password_are_masked_in_the_parameters_that_the_driver_sees() -> None:
    _, detach, _ = outcomes(STAND_IN)["password is masked"]["driver"]
    assert detach[2]["session_ref"] == "******"
    assert detach[2]["device_config"]["password"] == "******"


def test_master_scans_after_a_failed_attach_and_asks_for_a_scan_before() -> None:
    outcome = outcomes(STAND_IN)["sr_attach refused"]
    assert [call[0] for call in outcome["driver"]][:3] == ["sr.load", "sr.attach", "sr.scan"]
    assert "SR.add_to_other_config" in [call[0] for call in outcome["xapi"]]


def test_activate_opens_and_deactivate_closes() -> None:
    seen = outcomes(STAND_IN)
    assert [call[0] for call in seen["vdi_attach"]["driver"]] == ["sr.load", "vdi.load", "sr.cleanup"]
    opened = seen["vdi_activate"]
    assert [call[0] for call in opened["driver"]][2:-1] == ["sr.load", "vdi.load", "vdi.attach", "vdi.activate"]
    assert opened["driver"][2][1] == ["nop"]  # the second object, without the caller's arguments
    assert opened["driver"][2][2]["args"] is None
    assert opened["rows"]["OpaqueRef:v1"]["sm_config"] == {script.THIS: "RW"}
    assert len(opened["links"]) == 3
    closed = seen["vdi_deactivate"]
    assert [call[0] for call in closed["driver"]][4:-1] == ["vdi.deactivate", "vdi.detach"]
    assert (closed["rows"]["OpaqueRef:v1"]["sm_config"], closed["links"]) == ({}, [])


def test_a_failed_activate_removes_the_tag_but_does_not_detach() -> None:
    failed = outcomes(STAND_IN)["driver's activate fails"]
    assert "vdi.detach" not in [call[0] for call in failed["driver"]]
    assert failed["rows"]["OpaqueRef:v1"]["sm_config"] == {}
    assert len(failed["links"]) == 1


def test_the_types_driver_is_unknown_to_the_plugin_that_a_second_writer_asks() -> None:
    assert "is_open" in faults()["vdi_activate again"][1]
    assert "<SRUnknownType>" in faults()["vdi_activate again"][1]


def test_pause_and_unpause_keep_the_path_and_hand_the_mirror_over() -> None:
    tap = outcomes(STAND_IN)["snapshot hands the mirror over"]["tap"]
    assert [call[0] for call in tap] == ["list", "pause", "list", "unpause"]
    assert tap[-1][-4:] == ["-2", "nbd:x", "-a", "aio:/run/probe/v1"]


# --- the same on a real tree ---------------------------------------------------------------------------------------

# Where a tree behaves differently from 8.3 as it is now, which the stand-in follows.
FORMATS = {
    "sr_attach on the master": "a row without image-format needs no update",
    "scan introduces": "a row without image-format needs no update",
}
DIFFERENT = {
    "ga": {
        "raw is no type": "any type is allowed",
        "phy is no type": "any type is allowed",
        "file is no type": "any type is allowed",
        "no type at all": "the SR's type is taken then",
        "reader waits for another's activation": "a reader does not wait",
        "close again": "so nothing was opened",
        **FORMATS,
    },
    "upstream": {
        "raw is no type": "any type is allowed",
        "phy is no type": "any type is allowed",
        "file is no type": "any type is allowed",
        "no type at all": "the SR's type is taken then",
        "driver without suffix": "is loaded all the same",
        **FORMATS,
    },
    "current": {},
}


def comparable(outcome: Outcome, tree: str) -> Outcome:
    """Without what is known to differ in every step on trees of a generation."""
    calls = [call for call in outcome["xapi"] if not irrelevant(call, tree)]
    driver = [[what, args, {**seen, **({"session_ref": "", "device_config": ""} if tree == "ga" else {})}]
              for what, args, seen in outcome["driver"]]
    rows = {ref: formatless(row["sm_config"], tree) for ref, row in outcome["rows"].items()}
    links = [link for link in outcome["links"] if tree != "upstream" or not link.startswith("/dev/sm/backend/")]
    return {**outcome, "reply": reply(outcome["reply"], tree), "xapi": [formatless(call, tree) for call in calls],
            "driver": driver, "rows": rows, "links": links}


def irrelevant(call: list[Any], tree: str) -> bool:
    """GA has no image format in sm_config and asks for capabilities in a session of its own; upstream has no pools."""
    if tree == "current":
        return False
    own_session = tree == "ga" and call[0] in ("session.login_with_password", "session.logout")
    pools = tree == "upstream" and call[0] in ("SR.get_other_config", "VDI.get_other_config")
    return own_session or pools or "image-format" in call


def formatless(value: Any, tree: str) -> Any:
    if tree == "current" or not isinstance(value, dict | list):
        return value
    if isinstance(value, list):
        return [formatless(item, tree) for item in value]
    return {key: item for key, item in value.items() if key != "image-format"}


def reply(value: Any, tree: str) -> Any:
    """GA encodes a SCSI page wrongly; upstream has no block device to name."""
    attached = value.get("value")
    if isinstance(attached, dict) and "params_nbd" in attached:
        attached = {key: item for key, item in attached.items() if tree != "upstream" or key != "params"}
        kept = {key: item for key, item in attached["xenstore_data"].items()
                if tree == "current" or not key.startswith(("scsi/", "mem-pool"))}
        return {"value": {**attached, "xenstore_data": kept}}
    if value.get("fault") == 447:
        return {**value, "text": value["text"].split(" [opterr=")[0]}
    return value


@pytest.mark.parametrize("step", script.SCRIPT)
@pytest.mark.parametrize("tree", TREES or [NONE], ids=str)
def test_step_has_the_same_consequences(tree: Path, step: str) -> None:
    which = generation(tree)
    here, there = (comparable(outcomes(place)[step], which) for place in (STAND_IN, tree))
    if step in DIFFERENT[which]:
        assert here != there, "no longer different: " + DIFFERENT[which][step]
    else:
        assert here == there


# --- names and signatures ------------------------------------------------------------------------------------------

MODULES = ("SR", "VDI", "SRCommand", "blktap2", "util", "xs_errors", "lock", "resetvdis", "cleanup", "mpath_null")
# Offered here as 8.3 has it now; older and upstream trees lack the name or the parameter.
NEWER = {"util.sr_get_capability", "VDI.VDI._do_snapshot"}


def signatures(path: Path) -> dict[str, tuple[str, ...]]:
    """Functions, methods and classes (with no parameters) of a module by dotted name, and its constants."""
    found: dict[str, tuple[str, ...]] = {}

    def visit(body: list[ast.stmt], prefix: str) -> None:
        for node in body:
            if isinstance(node, ast.FunctionDef):
                arguments = node.args
                names = [argument.arg for argument in arguments.args + arguments.kwonlyargs]
                found[prefix + node.name] = tuple(name for name in names if name not in ("self", "cls"))
            elif isinstance(node, ast.ClassDef):
                found[prefix + node.name] = ()
                visit(node.body, prefix + node.name + ".")
            elif isinstance(node, ast.Assign | ast.AnnAssign):
                targets = node.targets if isinstance(node, ast.Assign) else [node.target]
                for target in targets:
                    if isinstance(target, ast.Name):
                        found.setdefault(prefix + target.id, ())

    visit(ast.parse(path.read_text("utf-8")).body, "")
    return found


def offered(name: str) -> dict[str, tuple[str, ...]]:
    """What drivers may use of a module of the stand-in: all public names, and private ones that the real one has."""
    found = signatures(STAND_IN / (name + ".py"))
    if name == "blktap2":
        tapdisk = signatures(STAND_IN / "_tapdisk.py")
        found.update({key: value for key, value in tapdisk.items() if key[0].isupper() and not key.isupper()})
    return found


@pytest.mark.parametrize("name", MODULES)
@pytest.mark.parametrize("tree", TREES or [NONE], ids=str)
def test_names_exist_in_the_real_tree_with_the_same_parameters(tree: Path, name: str) -> None:
    real = signatures(module(tree, name + ".py"))
    wrong = {}
    for key, parameters in offered(name).items():
        if f"{name}.{key}" in NEWER or key.split(".")[-1] in ("__all__", "__del__"):
            continue
        private = any(part.startswith("_") for part in key.split("."))
        if (key in real and real[key] != parameters) or (key not in real and not private):
            wrong[key] = (parameters, real.get(key))
    assert wrong == {}


@pytest.mark.parametrize("tree", TREES or [NONE], ids=str)
def test_error_numbers_are_the_real_ones(tree: Path) -> None:
    real = {name: number for name, (number, _) in definitions(tree).items()}
    lacking = {"APIProtocolError"} if generation(tree) == "ga" else set()
    assert {name for name, (number, _) in definitions(STAND_IN).items() if real.get(name) != number} == lacking


def test_stand_in_fits_a_host() -> None:
    targets = [copy.target for copy in real_tree.copies(str(STAND_IN))]
    assert len(targets) == len(set(targets))
    assert not [target for target in targets if "real_tree" in target]
    assert sys.version_info >= (3, 11)
