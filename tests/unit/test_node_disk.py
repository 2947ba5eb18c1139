"""What may be done with a disk, by what it holds."""

import os
from pathlib import Path
from typing import Any, Dict, List, Optional, Tuple

import pytest

from cephhci.errors import CommandFailed
from cephhci.node import disk
from cephhci.node.disk import MAKE, MIB, RESUME, START, Facts, Label
from cephhci.node.durable import Owner
from cephhci.node.errors import DiskMissing, DiskRefused
from cephhci.node.tools import Tools

OURS, OTHERS = "6a9c9a0e-3f0a-4c1f-9c4e-5d1a3f1f6b11", "0a9c9a0e-3f0a-4c1f-9c4e-5d1a3f1f6b00"
U1, U2 = "11111111-3f0a-4c1f-9c4e-5d1a3f1f6b11", "22222222-3f0a-4c1f-9c4e-5d1a3f1f6b22"
BIG = 2048 * MIB

# facts, uuid begun here, uuid wanted, the decision or words of the refusal
TABLE: List[Tuple[Facts, Optional[str], Optional[str], str]] = [
    (Facts(BIG, False, None, ""), None, None, MAKE),
    (Facts(BIG, False, None, ""), U1, None, MAKE),
    (Facts(BIG, False, None, "ext4"), None, None, "is not empty (ext4)"),
    (Facts(BIG, False, None, "ext4"), U1, None, "is not empty (ext4)"),
    (Facts(BIG, True, None, ""), None, None, "is in use by the kernel"),
    (Facts(0, False, None, ""), None, None, "is too small"),
    (Facts(BIG, False, Label(U1, OURS, 3, True), ""), None, None, START),
    (Facts(BIG, True, Label(U1, OURS, 3, True), ""), U1, U1, START),
    (Facts(BIG, False, Label(U1, OURS, 3, True), ""), None, U2, "the document wants " + U2),
    (Facts(BIG, False, Label(U1, OTHERS, 3, True), ""), None, None, "OSD 3 of the Ceph cluster " + OTHERS),
    (Facts(BIG, False, Label(U1, OTHERS, 3, False), ""), U1, None, "of the Ceph cluster " + OTHERS),
    (Facts(BIG, False, Label(U1, None, None, False), ""), U1, None, RESUME),
    (Facts(BIG, False, Label(U1, OURS, 3, False), ""), U1, None, RESUME),
    (Facts(BIG, False, Label(U1, OURS, None, True), ""), U1, None, RESUME),
    (Facts(BIG, False, Label(U1, None, None, False), ""), U2, None, "half-made OSD"),
    (Facts(BIG, False, Label(U1, OURS, 3, False), ""), None, None, "half-made OSD"),
]


@pytest.mark.parametrize("facts, intended, wanted, expected", TABLE)
def test_decide(facts: Facts, intended: Optional[str], wanted: Optional[str], expected: str) -> None:
    if expected in (MAKE, RESUME, START):
        assert disk.decide("/dev/x", facts, OURS, intended, wanted) == expected
        return
    with pytest.raises(DiskRefused) as caught:
        disk.decide("/dev/x", facts, OURS, intended, wanted)
    assert expected in caught.value.sentence and "/dev/x" in caught.value.sentence
    assert "it was not touched" in caught.value.sentence and caught.value.advice


class Looking(Tools):
    """Answers of ceph-bluestore-tool and blkid, as given."""

    def __init__(self, label: Optional[Dict[str, str]] = None, signature: str = "") -> None:
        super().__init__("/nowhere", Owner(0, 0))
        self._label = label
        self._signature = signature

    def show_label(self, device: str) -> Dict[str, str]:
        if self._label is None:
            raise CommandFailed(program="ceph-bluestore-tool", status="exit code 1", stderr="")
        return self._label

    def signature(self, device: str) -> str:
        return self._signature


def sparse(folder: Path, size: int, *writes: Tuple[int, bytes]) -> str:
    path = folder / "disk"
    with path.open("wb") as stream:
        for offset, data in writes:
            stream.seek(offset)
            stream.write(data)
    os.truncate(str(path), size)
    return str(path)


@pytest.mark.parametrize("offset", [0, 1, 16 * MIB - 1, 1024 * MIB + 5, BIG - 1])
def test_a_single_byte_is_data(tmp_path: Path, offset: int) -> None:
    facts = disk.examine(sparse(tmp_path, BIG, (offset, b"x")), Looking())
    assert facts.content == "data at offset %d" % (offset - offset % MIB)


def test_an_empty_disk(tmp_path: Path) -> None:
    assert disk.examine(sparse(tmp_path, BIG), Looking()) == Facts(BIG, False, None, "")


def test_a_signature_names_the_content(tmp_path: Path) -> None:
    path = sparse(tmp_path, BIG, (0, b"x"))
    assert disk.examine(path, Looking(signature="LVM2_member")).content == "LVM2_member"


def test_labels(tmp_path: Path) -> None:
    path = sparse(tmp_path, BIG, (0, disk.BLUESTORE_MAGIC + U1.encode("ascii")))
    begun = {"osd_uuid": U1, "mkfs_done": "yes"}
    assert disk.examine(path, Looking(begun)).label == Label(U1, None, None, False)
    complete = dict(begun, ceph_fsid=OURS, whoami="7", ready="ready")
    assert disk.examine(path, Looking(complete)).label == Label(U1, OURS, 7, True)
    with pytest.raises(DiskRefused) as caught:
        disk.examine(path, Looking(None))
    assert "label that cannot be read" in str(caught.value)


@pytest.mark.parametrize("interrupted", range(1, 30))
def test_an_erasure_cut_off_anywhere_can_be_repeated(tmp_path: Path, monkeypatch: Any, interrupted: int) -> None:
    data = [(offset, b"x" * 9000) for offset in (5 * MIB, 1024 * MIB, BIG - 9000)]
    path = sparse(tmp_path, BIG, (0, disk.BLUESTORE_MAGIC + U1.encode("ascii")), (4096, b"x" * 9000), *data)
    begun = {"osd_uuid": U1, "mkfs_done": "yes"}
    write, count = os.pwrite, [0]

    def cut_off(descriptor: int, piece: bytes, offset: int) -> int:
        count[0] += 1
        if count[0] == interrupted:
            raise KeyboardInterrupt
        return write(descriptor, piece, offset)

    monkeypatch.setattr(os, "pwrite", cut_off)
    try:
        disk.erase(path)
    except KeyboardInterrupt:
        facts = disk.examine(path, Looking(begun))
        assert disk.decide(path, facts, OURS, U1, None) == RESUME
        disk.erase(path)
    assert disk.examine(path, Looking()) == Facts(BIG, False, None, "")


def test_what_is_no_disk(tmp_path: Path) -> None:
    with pytest.raises(DiskMissing):
        disk.examine(str(tmp_path / "gone"), Looking())
    with pytest.raises(DiskRefused):
        disk.examine(str(tmp_path), Looking())
    with pytest.raises(DiskRefused):
        disk.examine("/dev/null", Looking())
