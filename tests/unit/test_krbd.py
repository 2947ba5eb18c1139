"""What the kernel shows of its mappings, and what the rbd command is given."""

from pathlib import Path
from typing import Any, Dict

import pytest

from cephhci.errors import MappingFailed
from cephhci.host.krbd import Krbd, features_of, map_argv
from cephhci.host.mapper import Mapping, Source
from cephhci.target import Target

NAMED = Target("xcp", "/etc/ceph/hci.conf", "", "")
WRITTEN = Target("xcp", "", "10.0.0.1,10.0.0.2", "AQ==")
SOURCE = Source("pool", "", "vdi-a", "")


def test_a_named_cluster() -> None:
    argv = map_argv(NAMED, SOURCE, read_only=False, keyfile="/run/k")
    assert argv == ["rbd", "device", "map", "pool/vdi-a", "--id", "xcp", "--conf", "/etc/ceph/hci.conf"]


def test_monitors_with_the_key_in_a_file() -> None:
    argv = map_argv(WRITTEN, SOURCE._replace(namespace="ns"), read_only=True, keyfile="/run/k")
    assert argv[3] == "pool/ns/vdi-a"
    assert argv[4:] == [
        "--id", "xcp", "--conf", "/dev/null", "--mon-host", "10.0.0.1,10.0.0.2", "--keyfile", "/run/k", "--read-only",
    ]  # fmt: skip
    assert not any("AQ==" in argument for argument in argv)


def test_a_snapshot() -> None:
    assert map_argv(NAMED, SOURCE._replace(snapshot="snap-b"), True, "/run/k")[3] == "pool/vdi-a@snap-b"


def test_never_exclusive() -> None:
    assert not any("exclusive" in argument for argument in map_argv(NAMED, SOURCE, False, "/run/k"))


@pytest.mark.parametrize(
    "bits, features",
    [
        (0x3D, ("deep-flatten", "exclusive-lock", "fast-diff", "layering", "object-map")),
        (0x85, ("exclusive-lock", "layering")),  # 4.19 with data-pool
        (0x1, ("layering",)),
        (0x19, ("layering",)),  # an object map without the lock it needs
        (0x0, ()),
    ],
)
def test_features(bits: int, features: Any) -> None:
    assert features_of(bits) == features


def device(sysfs: Path, number: str, **fields: str) -> None:
    facts: Dict[str, str] = {"pool": "pool", "pool_ns": "", "name": "vdi-a", "current_snap": "-"}
    facts.update({"client_addr": "10.0.0.9:0/42"}, **fields)
    folder = sysfs / "bus" / "rbd" / "devices" / number
    folder.mkdir(parents=True)
    for name, text in facts.items():
        (folder / name).write_text(text + "\n", encoding="utf-8")
    block = sysfs / "block" / ("rbd" + number)
    block.mkdir(parents=True)
    (block / "ro").write_text(fields.get("ro", "0") + "\n", encoding="utf-8")


def test_mappings_from_sysfs(tmp_path: Path) -> None:
    device(tmp_path, "0")
    device(tmp_path, "3", pool_ns="ns", name="vdi-b", ro="1")
    device(tmp_path, "4", current_snap="snap")
    assert Krbd(str(tmp_path)).mappings() == [
        Mapping(SOURCE, "/dev/rbd0", False, "10.0.0.9:0/42"),
        Mapping(Source("pool", "ns", "vdi-b", ""), "/dev/rbd3", True, "10.0.0.9:0/42"),
        Mapping(SOURCE._replace(snapshot="snap"), "/dev/rbd4", False, "10.0.0.9:0/42"),
    ]


def test_a_device_that_goes_meanwhile_is_passed_over(tmp_path: Path) -> None:
    (tmp_path / "bus" / "rbd" / "devices" / "7").mkdir(parents=True)
    assert Krbd(str(tmp_path)).mappings() == []


def test_without_the_module(tmp_path: Path) -> None:
    mapper = Krbd(str(tmp_path))
    assert mapper.mappings() == []
    mapper.unmap("/dev/rbd0")
    with pytest.raises(MappingFailed) as caught:
        mapper.features()
    assert "modprobe rbd" in str(caught.value)


def test_features_of_this_kernel(tmp_path: Path) -> None:
    (tmp_path / "bus" / "rbd").mkdir(parents=True)
    (tmp_path / "bus" / "rbd" / "supported_features").write_text("0x85\n", encoding="utf-8")
    assert Krbd(str(tmp_path)).features() == ("exclusive-lock", "layering")
