"""What a node has to survive, on real Ceph: one function per scenario, named on the command line.

python3 node_scenarios.py FOLDER SCENARIO [ARGUMENT...], started as node_world.py says.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import random
import shutil
import signal
import stat
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from node_world import Node, World, make_blank, shell, wait

PAYLOAD = os.urandom(1 << 20)


def first_start(folder: Path) -> World:
    """Three seed documents become a healthy cluster, with nothing else done; a repeat changes nothing."""
    world = healthy(folder)
    assert world.ask("health")["status"] == "HEALTH_OK", world.ask("health")
    before = identity(world)
    assert [osd["osd"] for osd in before["osds"]] == [0, 1, 2], before
    assert {name for name, *_ in before["tree"]} >= {"default", "host1", "host2", "host3"}
    no_secrets_around(world)
    epoch = world.epoch()
    for node in world.nodes:
        assert node.stop() == 0, node.log()
        assert node.phase() == "stopped" and not node.processes()
    restart(world, epoch)
    assert identity(world) == before
    read_back(world)
    return world


def power_loss(folder: Path) -> None:
    """SIGKILL of one node, then of all at once; both come back without help and lose nothing."""
    world = healthy(folder)
    before = identity(world)
    victim = world.nodes[0]
    osd, epoch = osd_of(victim), world.epoch()
    victim.kill()
    began = time.monotonic()
    victim.start()
    world.wait_running()
    world.wait_clean(since={osd: epoch})
    print(f"one node lost and clean again after {time.monotonic() - began:.1f} s")
    epoch = world.epoch()
    for node in world.nodes:
        node.kill()
    restart(world, epoch)
    assert identity(world) == before
    read_back(world)


def interrupted(folder: Path, rounds: str = "4", chance: str = "") -> None:
    """hci-node killed at a random moment of its first start, on every node: still one OSD per disk."""
    number = int(chance or random.SystemRandom().randrange(1 << 32))
    print("random number", number)
    dice = random.Random(number)
    world = World(folder)
    for _ in range(int(rounds)):
        for node in world.nodes:
            if node.process:
                node.kill()
            node.renew()
        world.sow()
        delays = {node.name: dice.uniform(0.05, 8) for node in world.nodes}
        print("killed after", {name: round(delay, 2) for name, delay in delays.items()}, flush=True)
        threads = [threading.Thread(target=start_twice, args=(node, delays[node.name])) for node in world.nodes]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        finish(world)
        assert len(world.osds()) == 3, world.osds()


def start_twice(node: Node, delay: float) -> None:
    node.start()
    time.sleep(delay)
    node.kill()
    node.start()


def interrupted_mkfs(folder: Path, count: str = "6", chance: str = "") -> None:
    """Killed while it makes an OSD, again and again: each disk becomes exactly one OSD."""
    number = int(chance or random.SystemRandom().randrange(1 << 32))
    print("random number", number)
    dice = random.Random(number)
    world = healthy(folder)
    for index in range(int(count)):
        node = world.nodes[index % len(world.nodes)]
        assert node.stop() == 0
        disk = node.folder / f"more{index}"
        make_blank(disk)
        document = json.loads(node.document.read_text(encoding="utf-8"))
        document["disks"].append({"path": str(disk)})
        node.document.write_text(json.dumps(document), encoding="utf-8")
        node.start()
        wait("mkfs at work", 60, lambda node=node: makes_osd(node), 0.01)  # type: ignore[misc]
        time.sleep(dice.uniform(0, 1))
        node.kill()
        print(disk.name, half_made(disk), flush=True)
        node.start()
        world.wait_running()
    world.wait_clean()
    osds = world.osds()
    assert len(osds) == 3 + int(count), osds
    assert len({osd["uuid"] for osd in osds}) == len(osds)
    for node in world.nodes:
        assert (node.root / "var/lib/ceph/hci-node/new-osds.json").read_text(encoding="utf-8") == "{}\n"


def makes_osd(node: Node) -> bool:
    for pid in node.processes():
        with contextlib.suppress(OSError):
            words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
            if words[:1] == [b"ceph-osd"] and b"--mkfs" in words:
                return True
    return False


def half_made(disk: Path) -> str:
    label = shell("ceph-bluestore-tool", "show-label", "--dev", str(disk), check=False)
    return "empty" if not label else "complete" if '"ready"' in label else "half made"


def daemons_die(folder: Path) -> None:
    """A daemon that dies is started again; one that keeps dying is given up and reported."""
    world = healthy(folder)
    node = world.nodes[0]
    for name in ("osd.%d" % osd_of(node), "mon.node1", "mgr.node1"):
        pid = node.status()["daemons"][name]["pid"]
        os.kill(pid, signal.SIGKILL)
        wait(f"{name} back", 30, lambda name=name, pid=pid: is_back(node, name, pid))  # type: ignore[misc]
    world.wait_running()
    world.wait_clean()
    name = "osd.%d" % osd_of(node)
    deadline = time.monotonic() + 60
    while node.status()["daemons"][name]["state"] != "failed":
        assert time.monotonic() < deadline, node.log()
        pid = node.status()["daemons"][name]["pid"]
        if pid:
            os.kill(pid, signal.SIGKILL)
        time.sleep(0.3)
    wait("phase degraded", 5, lambda: node.phase() == "degraded")
    assert any(name in problem and "given up" in problem for problem in node.status()["problems"])
    assert node.stop() == 0


def is_back(node: Node, name: str, pid: int) -> bool:
    daemon = node.status()["daemons"][name]
    return daemon["state"] == "running" and daemon["pid"] not in (None, pid)


def foreign_disks(folder: Path) -> None:
    """What is not empty and not ours is refused and not written to; the other disks come into service."""
    world = healthy(folder, disks=1)
    alien = folder / "alien"
    world.nodes[2].stop()
    alien.write_bytes(b"")
    shell("cp", "--sparse=always", str(world.nodes[2].disks[0]), str(alien))
    for node in world.nodes[:2]:
        node.kill()
    for node in world.nodes:
        node.renew()
    world.sow()

    node = world.nodes[0]
    disks = {name: node.folder / name for name in ("ext4", "random", "tail", "small", "missing", "folder")}
    for name in ("ext4", "random", "tail"):
        make_blank(disks[name], 2 << 30)
    make_blank(disks["small"], 100 << 20)
    disks["folder"].mkdir()
    shell("mkfs.ext4", "-q", "-L", "precious", str(disks["ext4"]))
    write_at(disks["random"], os.urandom(1 << 20), 0)
    write_at(disks["tail"], b"x", (2 << 30) - 1)
    disks["alien"] = alien
    document = json.loads(node.document.read_text(encoding="utf-8"))
    document["disks"] = [{"path": str(path)} for path in disks.values()] + document["disks"]
    node.document.write_text(json.dumps(document), encoding="utf-8")
    before = {name: digest(path) for name, path in disks.items() if path.is_file()}
    for other in world.nodes:
        other.start()
    wait("the good disk in service", 60, lambda: disk_states(node).get(str(node.disks[0])) == "active")
    wait("all judged", 5, lambda: all(disk_states(node)[str(path)] == "failed" for path in disks.values()))
    problems = "\n".join(node.status()["problems"])
    for text in ("ext4", "data at offset 0", "data at offset 2146435072", "too small", "cluster", "neither"):
        assert text in problems, (text, problems)
    print(problems)
    assert before == {name: digest(path) for name, path in disks.items() if path.is_file()}
    assert len(world.osds()) == 3
    make_blank(disks["missing"])
    wait("a disk that was attached later", 60, lambda: disk_states(node)[str(disks["missing"])] == "active")
    assert len(world.osds()) == 4


def second_disk(folder: Path) -> None:
    """Two disks in every node, a disk added to the document later, and a state disk that was lost."""
    world = healthy(folder, disks=2)
    assert len(world.osds()) == 6
    node = world.nodes[0]
    assert node.stop() == 0
    added = node.folder / "disk2"
    make_blank(added)
    document = json.loads(node.document.read_text(encoding="utf-8"))
    wanted = "5f0c1b1e-3c1f-4d53-9d0e-1f1fd4ad2c11"
    document["disks"].append({"path": str(added), "uuid": wanted})
    node.document.write_text(json.dumps(document), encoding="utf-8")
    node.start()
    world.wait_running()
    world.wait_clean()
    assert [osd["uuid"] for osd in world.osds()].count(wanted) == 1 and len(world.osds()) == 7
    before = identity(world)
    node.kill()
    shutil.rmtree(node.root)
    node.root.mkdir()
    node.start()
    world.wait_running()
    world.wait_clean()
    assert identity(world) == before
    assert sorted(world.ask("quorum_status")["quorum_names"]) == ["node1", "node2", "node3"]
    read_back(world)


def block_device(folder: Path) -> None:
    """The disk is a block device, as in a node VM: in use, it is refused; free, it becomes an OSD and restarts."""
    world = World(folder)
    node = world.nodes[0]
    loop = shell("losetup", "--find", "--show", "--direct-io=on", str(node.disks[0])).strip()
    try:
        document = json.loads(node.document.read_text(encoding="utf-8"))
        document["disks"] = [{"path": loop}]
        node.document.write_text(json.dumps(document), encoding="utf-8")
        holder = os.open(loop, os.O_RDONLY | os.O_EXCL)  # as a mounted file system or LVM holds it
        for other in world.nodes:
            other.start()
        wait("the disk in use refused", 60, lambda: disk_states(node).get(loop) == "failed")
        assert "in use" in node.status()["problems"][-1], node.status()
        os.close(holder)
        node.stop()
        node.start()
        finish(world)
        os.chown(loop, 0, 0)
        osd = f"osd.{osd_of(node)}"
        pid = node.status()["daemons"][osd]["pid"]
        os.kill(pid, signal.SIGKILL)
        wait("the OSD back", 30, lambda: is_back(node, osd, pid))
        world.wait_running()
        assert os.stat(loop).st_uid != 0
        node.stop()
    finally:
        os.chown(loop, 0, 0)
        shell("losetup", "--detach", loop)


def healthy(folder: Path, disks: int = 1) -> World:
    world = World(folder, disks)
    for node in world.nodes:
        node.start()
    finish(world)
    return world


def finish(world: World) -> None:
    began = time.monotonic()
    world.wait_running()
    running = time.monotonic() - began
    world.make_pool()
    world.wait_clean()
    print(
        f"all running after {running:.1f} s, all clean after {time.monotonic() - began:.1f} s",
        flush=True,
    )
    with world.client().open_ioctx("xcp") as pool:
        pool.write_full("payload", PAYLOAD)


def restart(world: World, epoch: int) -> None:
    began = time.monotonic()
    for node in world.nodes:
        node.start()
    world.forget_client()
    world.wait_running()
    world.wait_clean(since=dict.fromkeys(range(len(world.nodes)), epoch))
    print(f"restarted and clean after {time.monotonic() - began:.1f} s", flush=True)


def read_back(world: World) -> None:
    with world.client().open_ioctx("xcp") as pool:
        assert pool.read("payload", len(PAYLOAD)) == PAYLOAD


def identity(world: World) -> dict[str, Any]:
    tree = world.ask("osd tree")["nodes"]
    return {
        "osds": [{key: osd[key] for key in ("osd", "uuid")} for osd in world.osds()],
        "tree": sorted((node["name"], node["type"], node["id"]) for node in tree),
        "auth": sorted((entry["entity"], entry["key"]) for entry in world.ask("auth ls")["auth_dump"]),
    }


def no_secrets_around(world: World) -> None:
    """Keys stand in files of mode 0600 only, and in no argument list, log or status."""
    document = json.loads(world.nodes[0].document.read_text(encoding="utf-8"))
    keys = [entry["key"].encode() for entry in document["auth"].values()]
    for node in world.nodes:
        assert not any(key in node.log().encode() for key in keys)
        for path in readable(node.root):
            assert not any(key in path.read_bytes() for key in keys), path
        for pid in node.processes():
            assert not any(key in Path(f"/proc/{pid}/cmdline").read_bytes() for key in keys)


def readable(folder: Path) -> Iterator[Path]:
    """Files that somebody else than their owner could read."""
    for path in folder.iterdir():
        mode = path.lstat().st_mode
        if stat.S_ISDIR(mode) and mode & 0o055:
            yield from readable(path)
        elif stat.S_ISREG(mode) and mode & 0o044:
            yield path


def osd_of(node: Node) -> int:
    return int(node.status()["disks"][0]["osd"])


def disk_states(node: Node) -> dict[str, str]:
    return {disk["path"]: disk["state"] for disk in node.status().get("disks", [])}


def write_at(path: Path, data: bytes, offset: int) -> None:
    with path.open("r+b") as stream:
        stream.seek(offset)
        stream.write(data)


def digest(path: Path) -> tuple[str, int, int]:
    with path.open("rb") as stream:
        head = hashlib.sha256(stream.read(64 << 20)).hexdigest()
    return head, path.stat().st_mtime_ns, path.stat().st_blocks


if __name__ == "__main__":
    globals()[sys.argv[2]](Path(sys.argv[1]), *sys.argv[3:])
