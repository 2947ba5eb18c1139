"""Three Ceph nodes on a bridge, each in a network namespace, inside namespaces that this process owns.

Started by `unshare --pid --net --mount --fork --kill-child --mount-proc`: when that ends, all is gone.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import rados

from cephhci.node import seed
from cephhci.node.document import Interface

REPOSITORY = Path(__file__).resolve().parents[2]
NODES = (1, 2, 3)
PROC_FILES = ("cmdline", "status", "stack")
Options = Mapping[str, Mapping[str, object]]
# A pace that suits tests; what a production cluster gets stands in cephhci/node/conf.py.
OPTIONS: Options = {
    "global": {
        "mon_client_hunt_interval": 0.5,
        "osd_pool_default_pg_autoscale_mode": "off",
        "osd_pool_default_pg_num": 8,
    },
    "mon": {
        "paxos_propose_interval": 0.05,
        "paxos_min_wait": 0.02,
        "mon_election_timeout": 1,
        "mon_tick_interval": 1,
        "mon_data_avail_warn": 2,
        "mon_allow_pool_delete": True,
    },
    "mgr": {
        "mgr_tick_period": 1,
        "mgr_stats_period": 1,
        # Only optional ones, else health becomes HEALTH_ERR. Saves half of each mgr's memory and start-up time.
        "mgr_disabled_modules": " ".join(
            ("alerts dashboard diskprediction_local influx insights iostat k8sevents localpool mirroring nfs",)
            + ("osd_support prometheus restful rook selftest snap_schedule stats telegraf test_orchestrator",)
            + ("zabbix",)
        ),
    },
    "osd": {
        "osd_heartbeat_interval": 1,
        "bluestore_cache_autotune": False,
        "bluestore_cache_size": 64 * 1024 * 1024,
        "osd_op_num_shards": 2,
        "osd_op_num_threads_per_shard": 1,
    },
}


def shell(*argv: str, check: bool = True) -> str:
    done = subprocess.run(argv, capture_output=True, text=True, timeout=60, check=False)
    if check and done.returncode:
        raise AssertionError(f"{argv}: {done.returncode}: {done.stderr}")
    return done.stdout


def wait(what: str, seconds: float, condition: Callable[[], bool], pause: float = 0.1) -> float:
    began = time.monotonic()
    while not condition():
        if time.monotonic() - began > seconds:
            raise AssertionError(f"after {seconds} s still not: {what}")
        time.sleep(pause)
    return time.monotonic() - began


class Node:
    """One node: its network namespace, its root folder, and its running hci-node."""

    def __init__(self, folder: Path, number: int, disks: int = 1) -> None:
        self.name = f"node{number}"
        self.number = number
        self.public = f"10.83.0.{20 + number}"
        self.cluster = f"10.84.0.{20 + number}"
        self.folder = folder / self.name
        self.root = self.folder / "root"
        self.disks = [self.folder / f"disk{index}" for index in range(disks)]
        self.renew()
        self.document = self.folder / "document.json"
        self.holder = subprocess.Popen(["unshare", "--net", "sleep", "infinity"])
        self.process: subprocess.Popen[bytes] | None = None
        self._join_networks()

    def renew(self) -> None:
        """A machine that never ran, with empty disks."""
        shutil.rmtree(self.folder, ignore_errors=True)
        self.root.mkdir(parents=True)
        for disk in self.disks:
            make_blank(disk)

    def _join_networks(self) -> None:
        own = os.readlink("/proc/self/ns/net")
        wait("own namespace", 5, lambda: os.readlink(f"/proc/{self.holder.pid}/ns/net") != own, 0.01)
        self.inside("ip", "link", "set", "lo", "up")
        for bridge, address in (("public", self.public), ("cluster", self.cluster)):
            outer = f"{bridge[:3]}{self.number}"
            there = ["netns", str(self.holder.pid)]
            shell("ip", "link", "add", outer, "type", "veth", "peer", "name", bridge, *there)
            shell("ip", "link", "set", outer, "master", bridge, "up")
            self.inside("ip", "addr", "add", f"{address}/24", "dev", bridge)
            self.inside("ip", "link", "set", bridge, "up")

    def inside(self, *argv: str) -> str:
        return shell("nsenter", f"--net=/proc/{self.holder.pid}/ns/net", *argv)

    def start(self) -> None:
        with (self.folder / "hci-node.log").open("ab") as log:
            argv = ["nsenter", f"--net=/proc/{self.holder.pid}/ns/net", sys.executable]
            argv += [str(REPOSITORY / "node/hci-node"), "run", str(self.document), "--root", str(self.root)]
            environment = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
            self.process = subprocess.Popen(argv, stdout=log, stderr=log, env=environment)

    def stop(self, number: int = signal.SIGTERM, seconds: float = 60) -> int:
        assert self.process
        self.process.send_signal(number)
        status = self.process.wait(seconds)
        self.process = None
        return status

    def kill(self) -> None:
        """Power loss: hci-node goes, and with it all its daemons."""
        self.stop(signal.SIGKILL)
        try:
            wait("all daemons of the node gone", 15, lambda: not self.processes(), 0.02)
        except AssertionError as error:
            left = [Path(f"/proc/{pid}/{name}").read_text() for pid in self.processes() for name in PROC_FILES]
            raise AssertionError("\n".join(left)) from error

    def processes(self) -> list[int]:
        """Ceph processes in this node's namespace, zombies not counted."""
        own = os.readlink(f"/proc/{self.holder.pid}/ns/net")
        found = []
        for entry in Path("/proc").glob("[0-9]*"):
            try:
                words = (entry / "cmdline").read_bytes().split(b"\0")
                if os.readlink(entry / "ns/net") == own and any(b"ceph" in word for word in words[:5]):
                    found.append(int(entry.name))
            except OSError:
                continue
        return found

    def status(self) -> dict[str, Any]:
        try:
            return dict(json.loads((self.root / "run/hci-node/status.json").read_text(encoding="utf-8")))
        except FileNotFoundError:
            return {}

    def phase(self) -> object:
        """The phase as the hci-node that runs now reports it, or as the one that was stopped left it."""
        status = self.status()
        if self.process and status.get("pid") != self.process.pid:
            return None
        return status.get("phase")

    def log(self) -> str:
        return (self.folder / "hci-node.log").read_text(encoding="utf-8")


def make_blank(disk: Path, size: int = 20 << 30) -> None:
    disk.unlink(missing_ok=True)
    disk.touch()
    os.truncate(disk, size)


class World:
    """The networks, the nodes and a client in the middle."""

    def __init__(self, folder: Path, disks: int = 1, options: Options = OPTIONS) -> None:
        shell("mount", "--make-rprivate", "/")
        shell("ip", "link", "set", "lo", "up")
        for bridge, address in (("public", "10.83.0.254/24"), ("cluster", "10.84.0.254/24")):
            shell("ip", "link", "add", bridge, "type", "bridge")
            shell("ip", "addr", "add", address, "dev", bridge)
            shell("ip", "link", "set", bridge, "up")
        self.folder = folder
        self.nodes = [Node(folder, number, disks) for number in NODES]
        self._options = options
        self._client: rados.Rados | None = None
        self.sow()

    def sow(self) -> None:
        """Documents of a new cluster for all nodes."""
        self.forget_client()
        self.seed = seed.cluster(self.spec(self._options), os.urandom, int(time.time()))
        for node in self.nodes:
            node.document.write_text(self.seed.documents[node.name], encoding="utf-8")
        (self.folder / "client.keyring").write_text(self.seed.keyrings["client.admin"], encoding="utf-8")

    def forget_client(self) -> None:
        if self._client:
            self._client.shutdown()
        self._client = None

    def spec(self, options: Options) -> seed.ClusterSpec:
        nodes = [
            seed.NodeSpec(
                node.name,
                Interface(node.public, "10.83.0.0/24"),
                Interface(node.cluster, "10.84.0.0/24"),
                [str(disk) for disk in node.disks],
                f"host{node.number}",
            )
            for node in self.nodes
        ]
        return seed.ClusterSpec(nodes, "xcp", options)

    def client(self) -> rados.Rados:
        if self._client is None:
            conf = {
                "mon_host": ",".join(self.seed.monitors.values()),
                "keyring": str(self.folder / "client.keyring"),
                "client_mount_timeout": "20",
                "rados_mon_op_timeout": "20",
                "rados_osd_op_timeout": "20",
                "mon_client_hunt_interval": "0.5",
            }
            client = rados.Rados(name="client.admin", conf=conf)
            client.connect()
            self._client = client
        return self._client

    def ask(self, prefix: str, **arguments: object) -> dict[str, Any]:
        request = json.dumps({"prefix": prefix, "format": "json", **arguments})
        status, output, text = self.client().mon_command(request, b"")
        if status:
            raise AssertionError(f"{prefix}: {status} {text}")
        return dict(json.loads(output)) if output.strip() else {}

    def osds(self) -> list[dict[str, Any]]:
        return list(self.ask("osd dump")["osds"])

    def wait_running(self, seconds: float = 60) -> float:
        def running() -> bool:
            return all(node.phase() == "running" for node in self.nodes)

        return wait("all nodes running", seconds, running)

    def epoch(self) -> int:
        return int(self.ask("osd dump")["epoch"])

    def wait_clean(self, seconds: float = 90, since: Mapping[int, int] | None = None) -> float:
        """All PGs clean and all OSDs up; those in ``since`` came up after the given epoch of the osdmap."""
        newer = since or {}

        def clean() -> bool:
            pgs = self.ask("status")["pgmap"]
            states = {state["state_name"]: state["count"] for state in pgs["pgs_by_state"]}
            osds = self.osds()
            up = all(osd["up"] == 1 and osd["up_from"] > newer.get(osd["osd"], 0) for osd in osds)
            return up and pgs["num_pgs"] > 0 and states == {"active+clean": pgs["num_pgs"]}

        try:
            return wait("all OSDs up and all PGs active+clean", seconds, clean, 0.2)
        except AssertionError as error:
            state = self.ask("status")["pgmap"], self.ask("health", detail="detail"), self.osds()
            raise AssertionError(json.dumps(state, indent=1)) from error

    def make_pool(self) -> None:
        self.ask("osd pool create", pool="xcp", pg_num=8)
        self.ask("osd pool application enable", pool="xcp", app="rbd")
