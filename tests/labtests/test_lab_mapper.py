"""The mapper `fuse`: what it answers, and that it lets go under all circumstances."""

import json
import time
import uuid
from collections.abc import Iterator

import pytest

from lab import cluster
from lab.lab import Completed, Lab

pytestmark = pytest.mark.lab

WATCH_TIMEOUT = 60.0  # a daemon that could not say goodbye counts as a user of its image for 30 s
PROGRAM = "/usr/libexec/xcpng-ceph-hci/mappers/fuse"
CEPH = ("--conf", "/etc/ceph/hci.conf", "--id", "xcp")


def call(lab: Lab, verb: str, **request: object) -> Completed:
    return lab.machine("host1").run([PROGRAM, verb], stdin=json.dumps(request), timeout=60)


def mapping(name: str, **changes: object) -> dict[str, object]:
    request: dict[str, object] = {
        "conf": {},
        "conffile": "/etc/ceph/hci.conf",
        "user": "xcp",
        "key": None,
        "pool": "xcp",
        "namespace": "",
        "image": name,
        "snapshot": "",
        "read_only": False,
    }
    return {**request, **changes}


def mapped(lab: Lab, image: str, **changes: object) -> str:
    done = call(lab, "map", **mapping(image, **changes))
    assert done.returncode == 0, done.stderr
    return str(json.loads(done.stdout)["device"])


def shell(lab: Lab, script: str) -> str:
    done = lab.machine("host1").run(["/bin/bash", "-ec", script])
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture
def image(lab: Lab) -> Iterator[str]:
    name = "vdi-" + str(uuid.uuid4())
    shell(lab, "rbd %s create --size 16M xcp/%s" % (" ".join(CEPH), name))
    yield name
    for entry in json.loads(call(lab, "list").stdout)["maps"]:
        assert call(lab, "unmap", device=entry["device"]).returncode == 0
    remove = "rbd {0} snap purge xcp/{1}; rbd {0} rm xcp/{1}".format(" ".join(CEPH), name)
    deadline = time.monotonic() + WATCH_TIMEOUT
    while lab.machine("host1").run(["/bin/bash", "-c", remove]).returncode:
        assert time.monotonic() < deadline
        time.sleep(2)


def test_features(lab: Lab) -> None:
    features = json.loads(call(lab, "features").stdout)["features"]
    assert features == ["layering", "exclusive-lock", "object-map", "fast-diff", "deep-flatten"]


def test_bytes_are_in_the_image(lab: Lab, image: str) -> None:
    device = mapped(lab, image)
    assert mapped(lab, image) == device
    shell(lab, "seq 100000 | head -c 65536 >/root/data; dd if=/root/data of=%s conv=notrunc,fsync" % device)
    exported = "rbd %s export --no-progress xcp/%s - | head -c 65536 | cmp - /root/data" % (" ".join(CEPH), image)
    shell(lab, exported)
    listed = json.loads(call(lab, "list").stdout)["maps"]
    fields = {"pool": "xcp", "namespace": "", "image": image, "snapshot": "", "read_only": False}
    assert listed == [{"device": device, **fields}]
    for _ in range(2):
        assert call(lab, "unmap", device=device).stdout == "{}\n"
    assert json.loads(call(lab, "list").stdout) == {"maps": []}


def test_snapshot_and_read_only(lab: Lab, image: str) -> None:
    device = mapped(lab, image)
    shell(lab, "printf before | dd of=%s conv=notrunc,fsync" % device)
    shell(lab, "rbd %s snap create --no-progress xcp/%s@s" % (" ".join(CEPH), image))
    shell(lab, "printf after. | dd of=%s conv=notrunc,fsync" % device)
    snapshot = mapped(lab, image, snapshot="s", read_only=True)
    assert shell(lab, "head -c 6 " + snapshot) == "before"
    read_only = mapped(lab, image, read_only=True)
    assert shell(lab, "head -c 6 " + read_only) == "after."
    assert lab.machine("host1").run(["/bin/sh", "-c", "echo >>%s" % read_only]).returncode != 0


def test_monitors_and_key_instead_of_a_file(lab: Lab, image: str) -> None:
    key = shell(lab, "awk '/key/ {print $3}' /etc/ceph/hci.client.xcp.keyring").strip()
    device = mapped(lab, image, conffile=None, conf={"mon_host": "10.83.0.21,10.83.0.22"}, key=key)
    shell(lab, "head -c 512 %s >/dev/null" % device)
    assert key not in shell(lab, "cat /proc/*/cmdline | tr '\\0' ' '")
    assert shell(lab, "find /run/mapper-fuse -type f -perm /077 -exec grep -l -F '%s' {} + || true" % key) == ""


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"image": "vdi-missing"}, "vdi-missing"),
        ({"pool": "missing"}, "missing"),
        ({"key": "AQAAAAAAAAAAABAAAAAAAAAAAAAAAAAAAAAAAA=="}, "xcp/"),
        ({"conffile": "/etc/ceph/missing.conf"}, "missing.conf"),
    ],
)
def test_refusals_are_one_sentence_and_leave_nothing(
    lab: Lab, image: str, changes: dict[str, object], reason: str
) -> None:
    done = call(lab, "map", **mapping(image, **changes))
    assert done.returncode == 1
    assert reason in done.stderr
    assert done.stderr.count("\n") == 1
    assert json.loads(call(lab, "list").stdout) == {"maps": []}
    assert shell(lab, "ls /run/mapper-fuse | grep -v lock || true") == ""


def test_a_map_in_use_is_not_taken_away(lab: Lab, image: str) -> None:
    device = mapped(lab, image)
    shell(lab, "sleep 100 <%s >/dev/null 2>&1 & echo $! >/run/user" % device)
    done = call(lab, "unmap", device=device)
    assert (done.returncode, done.stderr) == (1, "%s is in use\n" % device)
    shell(lab, "kill $(cat /run/user)")


@pytest.mark.slow
def test_unmap_and_map_without_the_cluster(lab: Lab, image: str) -> None:
    device = mapped(lab, image)
    lab.machine("host1").cut()
    try:
        begun = time.monotonic()
        assert call(lab, "unmap", device=device).returncode == 0
        assert time.monotonic() - begun < 15
        done = call(lab, "map", **mapping(image))
        assert done.returncode == 1
        assert time.monotonic() - begun < 35
        assert json.loads(call(lab, "list").stdout) == {"maps": []}
    finally:
        lab.machine("host1").heal()
    mapped(lab, image)


def test_the_pool_is_ready(lab: Lab) -> None:
    status = lab.run(["ceph", "-c", str(cluster.conf_file(lab.state)), "status", "--format", "json"]).stdout
    assert json.loads(status)["osdmap"]["num_up_osds"] == 3
