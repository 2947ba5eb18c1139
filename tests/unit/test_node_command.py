"""The command line of hci-node, as far as it goes without Ceph."""

import json
import os
from pathlib import Path
from typing import Any

import pytest
from test_node_document import whole

from cephhci.node import service
from cephhci.node.command import main
from cephhci.node.errors import AlreadyRunning
from cephhci.node.paths import Paths

STATUS = {
    "schema": 1,
    "node": "node1",
    "fsid": "f",
    "phase": "running",
    "mon": {"state": "leader", "quorum": ["node1"]},
    "daemons": {},
    "disks": [],
    "problems": [],
}


def write_status(root: Path, phase: str) -> None:
    folder = root / "run/hci-node"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "status.json").write_text(json.dumps(dict(STATUS, phase=phase)), encoding="utf-8")


def test_check(tmp_path: Path, capsys: Any) -> None:
    path = tmp_path / "document.json"
    path.write_text(json.dumps(whole()), encoding="utf-8")
    assert main(["check", str(path)]) == 0
    assert "node node1 of cluster" in capsys.readouterr().out
    path.write_text(json.dumps(dict(whole(), fsid="x")), encoding="utf-8")
    assert main(["check", str(path)]) == 1
    assert capsys.readouterr().err.startswith("hci-node: HCI_NODE_DOCUMENT: node document: fsid: must be")
    assert main(["check", str(tmp_path / "gone")]) == 1


def test_a_bad_document_changes_nothing(tmp_path: Path, capsys: Any) -> None:
    path = tmp_path / "document.json"
    path.write_text(json.dumps(dict(whole(), user="no-such-user")), encoding="utf-8")
    assert main(["run", str(path), "--root", str(tmp_path / "root")]) == 1
    assert "there is no user no-such-user" in capsys.readouterr().err
    assert not (tmp_path / "root").exists()


def test_status_before_the_first_run(tmp_path: Path, capsys: Any) -> None:
    assert main(["status", "--root", str(tmp_path)]) == 1
    assert "HCI_NODE_NEVER_RAN" in capsys.readouterr().err


@pytest.mark.parametrize("phase, alive, code", [("running", True, 0), ("degraded", True, 2), ("stopped", False, 3)])
def test_status_code(tmp_path: Path, capsys: Any, phase: str, alive: bool, code: int) -> None:
    write_status(tmp_path, phase)
    lock = service.take_lock(Paths(str(tmp_path)), 0) if alive else None
    assert main(["status", "--root", str(tmp_path)]) == code
    assert json.loads(capsys.readouterr().out)["phase"] == phase
    if lock is not None:
        os.close(lock)


def test_status_of_a_killed_program(tmp_path: Path, capsys: Any) -> None:
    write_status(tmp_path, "running")
    assert main(["status", "--root", str(tmp_path), "--format", "text"]) == 3
    assert capsys.readouterr().out.startswith("node1: killed\n")


def test_one_at_a_time(tmp_path: Path) -> None:
    paths = Paths(str(tmp_path))
    lock = service.take_lock(paths, 0)
    with pytest.raises(AlreadyRunning):
        service.take_lock(paths, 0.2)
    os.close(lock)
    os.close(service.take_lock(paths, 0))
