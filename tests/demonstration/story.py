"""The story: every step does something as an administrator would, and makes sure that it worked."""

import os
import time
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from demonstration import image, transfer
from demonstration.image import Input
from demonstration.journal import Journal
from demonstration.load import Load
from demonstration.pool import Pool, healthy, osds_up
from lab.hostinstall import TESTS_CACHE
from lab.lab import Lab
from lab.place import Disk
from package.build import SITELIB_DEBIAN, build_rpm

GRAIN = 4 << 20  # disks are multiples of this
SPARE = 1 << 30  # bytes of the Ceph pool that stay free
LOAD_SIZE = "1GiB"
BLOCKS_BEFORE = 500
BLOCKS_AFTER = 500
LOAD_DEADLINE = 120.0
NODE_DOWN_DEADLINE = 120.0
NODE_BACK_DEADLINE = 180.0
SPACE_DEADLINE = 60.0
SPACE_TOLERANCE = 1 << 20
PACKAGE = "xcpng-ceph-hci"


@dataclass
class Made:
    """What the story made on its way."""

    sr: str
    stored_before: int
    disks: list[str]


class Story:
    """One run, in the lab of that name; ``folder`` takes temporary files."""

    def __init__(self, journal: Journal, lab: Lab, folder: Path, file: Path | None) -> None:
        self.journal = journal
        self.lab = lab
        self.folder = folder
        self.file = file
        self.loads: list[Load] = []

    def tell(self) -> None:
        """From nothing to a pool that is as empty as before. Raises at the first thing that is not as it should be."""
        self._build_package()
        source = self._input()
        pool = self._lab()
        self._look(pool)
        made = self._create_sr(pool, source)
        self._store(pool, made, source)
        self._lose_a_node(pool, made)
        self._get_it_back(pool)
        self._clean_up(pool, made)

    def abandon(self) -> None:
        """End what runs beside the story."""
        for load in self.loads:
            load.abandon()

    def _build_package(self) -> None:
        with self.journal.step("the package is built by tito") as step:
            rpm = build_rpm(SITELIB_DEBIAN)
            os.environ["LAB_RPMS"] = str(rpm)
            step.detail = rpm.name

    def _input(self) -> Input:
        with self.journal.step("the input is there") as step:
            if self.file:
                source = Input(self.file, "your file %s, %d bytes" % (self.file.name, self.file.stat().st_size))
            else:
                source = image.root_file_system(self.folder, TESTS_CACHE / "debs")
            step.detail = source.title
        return source

    def _lab(self) -> Pool:
        with self.journal.step("three XCP-ng hosts and three Ceph nodes are up"):
            self._bring_up()
        with self.journal.step("one pool of three hosts, the package installed on each"):
            hosts = self.lab.xe("host-list", "enabled=true", "params=name-label", "--minimal").split(",")
            assert sorted(hosts) == ["host1", "host2", "host3"], "enabled hosts: %s" % hosts
            for host in hosts:
                query = ["/usr/bin/rpm", "--force-debian", "--dbpath", "/var/lib/rpm", "--query", PACKAGE]
                done = self.lab.machine(host).run(query)
                assert done.returncode == 0, "%s: %s" % (host, done.stdout.strip())
            assert "ceph" in self.lab.xe("sm-list", "params=type", "--minimal").split(","), "XAPI knows no type ceph"
        return Pool(self.lab)

    def _bring_up(self) -> None:
        reading, writing = os.pipe()
        with open(reading, encoding="utf-8") as said, ThreadPoolExecutor(1) as executor:
            with open(writing, "w", encoding="utf-8") as progress:
                executor.submit(self._show_lines, said)
                self.lab.up(progress=progress)

    def _show_lines(self, lines: Iterable[str]) -> None:
        for line in lines:
            self.journal.show(line)

    def _look(self, pool: Pool) -> None:
        with self.journal.step("hci preflight finds every host ready, hci status Ceph healthy"):
            preflight = pool.plugin("preflight", "args:format=text")
            pool.wait_for_cluster(healthy(3), LOAD_DEADLINE, "Ceph healthy")
            status = pool.plugin("status", "args:format=text")
            self.journal.show(preflight + "\n\n" + status)
            assert "FAIL" not in preflight.split(), "preflight finds a failure"

    def _create_sr(self, pool: Pool, source: Input) -> Made:
        with self.journal.step("xe sr-create type=ceph shared=true, attached on three hosts") as step:
            room = pool.room() - SPARE
            assert source.size < room, "the lab has room for %d bytes, not for %s" % (room, source.title)
            stored = pool.stored()
            sr = pool.place.create_sr()
            attached = self.lab.xe("pbd-list", "sr-uuid=" + sr, "currently-attached=true", "--minimal").split(",")
            assert len(attached) == 3, "attached on %d of 3 hosts" % len(attached)
            step.detail = sr
        return Made(sr, stored, [])

    def _create_disk(self, pool: Pool, made: Made, label: str, size: str) -> str:
        disk = pool.place.create_disk(made.sr, label, size)
        made.disks.append(disk)
        assert "vdi-" + disk in pool.place.images(), "there is no RBD image of disk %s" % disk
        return disk

    def _store(self, pool: Pool, made: Made, source: Input) -> None:
        host1, host2 = self.lab.machine("host1"), self.lab.machine("host2")
        with self.journal.step("xe vdi-create, a disk is an RBD image") as step:
            vdi = self._create_disk(pool, made, "input", str(source.size))
            size = int(self.lab.xe("vdi-param-get", "uuid=" + vdi, "param-name=virtual-size"))
            assert size >= source.size and size % GRAIN == 0, "the disk has %d bytes" % size
            step.detail = "%d MiB" % (size >> 20)
        with self.journal.step("attached on host1 by the driver") as step:
            disk = pool.place.plug(vdi, "host1")
            step.detail = disk.device.replace(made.sr, made.sr[:8] + "...").replace(vdi, vdi[:8] + "...")
        with self.journal.step("the input is written on host1") as step:
            begun = time.monotonic()
            transfer.write(source, host1, disk.device)
            step.detail = "%.0f MiB/s" % (source.size / (1 << 20) / (time.monotonic() - begun))
        with self.journal.step("detached from host1, attached read-only on host2"):
            pool.place.unplug(disk)
            disk = pool.place.plug(vdi, "host2", mode="RO")
            assert transfer.refuses_writes(host2, disk.device), "host2 can write to a read-only disk"
        with self.journal.step("read back on host2, the same SHA-256") as step:
            wanted, found = source.sha256(), transfer.read_sha256(source, host2, disk.device)
            assert found == wanted, "host2 reads SHA-256 %s, written was %s" % (found, wanted)
            step.detail = found[:16] + "..."
        if not self.file:
            with self.journal.step("the root file system runs on host2") as step:
                step.detail = transfer.run_from(host2, disk.device)
        with self.journal.step("detached from host2"):
            pool.place.unplug(disk)

    def _lose_a_node(self, pool: Pool, made: Made) -> None:
        with self.journal.step("a writer runs on host1, one synchronous block after the other"):
            vdi = self._create_disk(pool, made, "journal", LOAD_SIZE)
            disk = pool.place.plug(vdi, "host1")
            load = Load(self.lab.machine("host1"), disk.device)
            self.loads.append(load)
            load.wait_for(BLOCKS_BEFORE, LOAD_DEADLINE, "the writer before the failure")
        with self.journal.step("node3 loses power and network, Ceph notices"):
            node = self.lab.machine("node3")
            node.cut()
            node.kill()
            killed = time.monotonic()
            pool.wait_for_cluster(osds_up(2), NODE_DOWN_DEADLINE, "the OSD of node3 down")
        with self.journal.step("the writer goes on") as step:
            noticed = load.count
            load.wait_for(noticed + BLOCKS_AFTER, LOAD_DEADLINE, "the writer after the failure")
            load.stop()
            before = load.count_before(killed)
            step.detail = "%d blocks before, %d after, longest pause %.1f s" % (
                before,
                load.count - before,
                load.longest_pause,
            )
        with self.journal.step("nothing is lost, host2 reads every acknowledged block") as step:
            self._verify(pool, load, disk)
            step.detail = "%d" % load.count

    def _verify(self, pool: Pool, load: Load, disk: Disk) -> None:
        pool.place.unplug(disk)
        disk = pool.place.plug(disk.vdi, "host2", mode="RO")
        load.check(self.lab.machine("host2"), disk.device)
        pool.place.unplug(disk)

    def _get_it_back(self, pool: Pool) -> None:
        with self.journal.step("node3 is back, Ceph is healthy, every placement group clean"):
            node = self.lab.machine("node3")
            node.heal()
            node.start()
            pool.wait_for_cluster(healthy(3), NODE_BACK_DEADLINE, "Ceph healthy with node3")

    def _clean_up(self, pool: Pool, made: Made) -> None:
        place = pool.place
        with self.journal.step("xe vdi-destroy, xe sr-destroy"):
            for disk in made.disks:
                self.lab.xe("vdi-destroy", "uuid=" + disk)
            assert place.disks(made.sr) == [], "the SR still has disks"
            place.destroy_sr(made.sr)
            assert not self.lab.xe("sr-list", "uuid=" + made.sr, "--minimal"), "XAPI still has the SR"
        with self.journal.step("the space is back") as step:
            deadline = time.monotonic() + SPACE_DEADLINE
            while left := _left(pool, made.stored_before):
                assert time.monotonic() < deadline, "left in the Ceph pool after %d s: %s" % (SPACE_DEADLINE, left)
                time.sleep(0.5)
            step.detail = "no images, empty trash, no index, %d bytes stored" % pool.stored()


def _left(pool: Pool, stored_before: int) -> dict[str, Any]:
    """What is still in the Ceph pool of an SR that was destroyed."""
    left: dict[str, Any] = {
        "images": pool.place.images(),
        "trash": pool.place.trash(),
        "index": list(pool.place.index()),
        "bytes": max(0, pool.stored() - stored_before - SPACE_TOLERANCE),
    }
    return {name: value for name, value in left.items() if value}
