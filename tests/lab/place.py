"""A place for one SR: an RBD namespace of its own in the lab's pool, so that tests do not meet."""

import json
import time
import uuid
from dataclasses import dataclass
from typing import Any

from lab import cluster
from lab.lab import Lab

POOL = "xcp"
MAPPER = "fuse"


@dataclass
class Disk:
    """A disk plugged into the control domain of a host."""

    vdi: str
    vbd: str
    device: str


class Place:
    """An RBD namespace, and the SR that may be made in it."""

    def __init__(self, lab: Lab, namespace: str | None = None) -> None:
        self.lab = lab
        self.namespace = "t-" + uuid.uuid4().hex[:12] if namespace is None else namespace
        if self.namespace:
            self.rbd("namespace", "create", "%s/%s" % (POOL, self.namespace))

    def config(self, **changes: str | None) -> list[str]:
        """Arguments of device-config; None takes a key away."""
        keys: dict[str, str | None] = {
            "monitors": ",".join(node.addresses["public"] for node in self.lab.environment.nodes),
            "user": "xcp",
            "password": self.key(),
            "pool": POOL,
            "namespace": self.namespace or None,
            "mapper": MAPPER,
        }
        keys.update({key.replace("_", "-"): value for key, value in changes.items()})
        return ["device-config:%s=%s" % (key, value) for key, value in keys.items() if value is not None]

    def key(self) -> str:
        """The Ceph key of the hosts' user."""
        text = self.lab.machine("host1").run(["cat", "/etc/ceph/hci.client.xcp.keyring"]).stdout
        return next(line.split("=", 1)[1].strip() for line in text.splitlines() if "key" in line)

    def create_sr(self, **changes: str | None) -> str:
        """`xe sr-create` with what a user would give; returns the SR's uuid."""
        return self.lab.xe("sr-create", "type=ceph", "shared=true", "name-label=ceph", *self.config(**changes))

    def destroy_sr(self, sr: str) -> None:
        """Unplug everywhere and destroy."""
        for pbd in self.pbds(sr):
            self.lab.xe("pbd-unplug", "uuid=" + pbd)
        self.lab.xe("sr-destroy", "uuid=" + sr)

    def pbds(self, sr: str, host: str | None = None) -> list[str]:
        """The PBDs of an SR, of one host or of all."""
        where = ["host-uuid=" + self.host_uuid(host)] if host else []
        return [uuid for uuid in self.lab.xe("pbd-list", "sr-uuid=" + sr, *where, "--minimal").split(",") if uuid]

    def host_uuid(self, name: str) -> str:
        """The uuid of a host."""
        return self.lab.xe("host-list", "name-label=" + name, "--minimal")

    def create_disk(self, sr: str, label: str = "disk", size: str = "16MiB") -> str:
        """`xe vdi-create`; returns the VDI's uuid."""
        return self.lab.xe("vdi-create", "sr-uuid=" + sr, "name-label=" + label, "virtual-size=" + size, "type=user")

    def disks(self, sr: str) -> list[str]:
        """The VDI records of an SR."""
        return sorted(uuid for uuid in self.lab.xe("vdi-list", "sr-uuid=" + sr, "--minimal").split(",") if uuid)

    def plug(self, vdi: str, host: str, mode: str = "RW") -> Disk:
        """Give a disk to the control domain of a host."""
        domain = self.lab.xe(
            "vm-list", "is-control-domain=true", "resident-on=" + self.host_uuid(host), "--minimal"
        )
        vbd = self.lab.xe(
            "vbd-create", "vm-uuid=" + domain, "vdi-uuid=" + vdi, "device=autodetect", "mode=" + mode, "type=Disk"
        )
        try:
            self.lab.xe("vbd-plug", "uuid=" + vbd)
        except Exception:
            self.lab.xe("vbd-destroy", "uuid=" + vbd)
            raise
        device = self.lab.xe("vbd-param-get", "uuid=" + vbd, "param-name=device")
        return Disk(vdi, vbd, "/dev/" + device)

    def unplug(self, disk: Disk) -> None:
        """Take it away again."""
        self.lab.xe("vbd-unplug", "uuid=" + disk.vbd)
        self.lab.xe("vbd-destroy", "uuid=" + disk.vbd)

    def wait_unwatched(self, vdi: str, seconds: float = 60) -> None:
        """Wait until no client has the disk's image open."""
        deadline = time.monotonic() + seconds
        image = "%s/vdi-%s" % (self.spec(), vdi)
        while "watcher=" in self.rbd("status", image):
            if time.monotonic() > deadline:
                raise AssertionError("%s is still open after %d s" % (image, seconds))
            time.sleep(0.5)

    def rbd(self, *arguments: str) -> str:
        """The rbd command as the cluster's administrator; fails the test when it fails."""
        return self._admin("rbd", *arguments)

    def rados(self, *arguments: str) -> str:
        """The rados command, in this namespace."""
        return self._admin("rados", "-p", POOL, "-N", self.namespace, *arguments)

    def ceph(self, *arguments: str) -> Any:
        """The ceph command; returns its JSON."""
        text = self._admin("ceph", "--connect-timeout", "30", "-f", "json", *arguments).strip()
        # `osd blocklist ls` of 16.2 prints a second, empty list behind the first.
        return json.JSONDecoder().raw_decode(text or "null")[0]

    def images(self) -> list[str]:
        """Names of the images here."""
        return sorted(json.loads(self.rbd("ls", "--format", "json", self.spec())))

    def trash(self) -> list[str]:
        """Ids of the images in the trash."""
        return sorted(item["id"] for item in json.loads(self.rbd("trash", "ls", "--format", "json", self.spec())))

    def index(self) -> dict[str, Any]:
        """The index object's values by key; empty when there is none."""
        if "hci.sr" not in self.rados("ls").split():
            return {}
        keys = self.rados("listomapkeys", "hci.sr").split()
        values: dict[str, Any] = {}
        for key in keys:
            self.rados("getomapval", "hci.sr", key, "/tmp/omap-value")
            values[key] = json.loads(self.lab.run(["cat", "/tmp/omap-value"]).stdout)
        return values

    def spec(self) -> str:
        """The place as the rbd command names it."""
        return "%s/%s" % (POOL, self.namespace) if self.namespace else POOL

    def _admin(self, program: str, *arguments: str) -> str:
        done = self.lab.run([program, "-c", str(cluster.conf_file(self.lab.state)), *arguments])
        if done.returncode:
            raise AssertionError("%s %s: %s" % (program, " ".join(arguments), done.stderr.strip()))
        return done.stdout
