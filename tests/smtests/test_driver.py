"""CephSR as the pool's hosts run it, from sr-create to sr-destroy."""

import json
import time
from collections.abc import Callable

import pytest

from lab.lab import Lab, XeFailed
from lab.place import Place

INFO = (
    "<?xml version='1.0'?><methodCall><methodName>sr_get_driver_info</methodName><params><param><value><struct>"
    "<member><name>host_ref</name><value>OpaqueRef:NULL</value></member>"
    "<member><name>command</name><value>sr_get_driver_info</value></member>"
    "<member><name>args</name><value><array><data/></array></value></member>"
    "<member><name>device_config</name><value><struct/></value></member>"
    "</struct></value></param></params></methodCall>"
)
MIB = 1 << 20


def eventually(condition: Callable[[], bool], seconds: float = 60) -> None:
    """Wait until a condition holds."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "not within %d s" % seconds
        time.sleep(0.5)


def test_driver_info_needs_no_session(lab: Lab) -> None:
    bare = ["env", "-i", "PATH=/sbin:/usr/sbin:/bin:/usr/bin", "/opt/xensource/sm/CephSR", INFO]
    done = lab.machine("host1").run(bare)
    assert done.returncode == 0
    assert done.stdout.count("<methodResponse>") == 1 and "VDI_CREATE" in done.stdout


def test_life_of_an_sr(place: Place) -> None:
    lab = place.lab
    sr = place.create_sr()
    attached = lab.xe("pbd-list", "sr-uuid=" + sr, "params=currently-attached", "--minimal").split(",")
    assert attached == ["true"] * 3
    assert place.index()["sr"]["sr"] == sr
    assert int(lab.xe("sr-param-get", "uuid=" + sr, "param-name=physical-size")) > 1 << 30
    place.destroy_sr(sr)
    assert place.index() == {} and place.images() == []
    assert sr not in lab.xe("sr-list", "--minimal")
    again = place.create_sr()
    place.destroy_sr(again)


def test_life_of_a_disk(place: Place, sr: str) -> None:
    lab = place.lab
    vdi = place.create_disk(sr, "b\u00fcro", "12345")
    assert int(lab.xe("vdi-param-get", "uuid=" + vdi, "param-name=virtual-size")) == 4 * MIB
    assert place.images() == ["vdi-" + vdi]
    entry = place.index()["vdi." + vdi]
    assert (entry["state"], entry["size"], entry["label"], entry["writer"]) == ("ok", 4 * MIB, "b\u00fcro", None)
    assert int(lab.xe("sr-param-get", "uuid=" + sr, "param-name=virtual-allocation")) == 4 * MIB
    lab.xe("vdi-param-set", "uuid=" + vdi, "name-label=\u96fb\u8133", "name-description=" + "x" * 65536)
    entry = place.index()["vdi." + vdi]
    assert (entry["label"], len(entry["description"])) == ("\u96fb\u8133", 65536)
    lab.xe("vdi-destroy", "uuid=" + vdi)
    assert place.images() == [] and "vdi." + vdi not in place.index()
    assert int(lab.xe("sr-param-get", "uuid=" + sr, "param-name=virtual-allocation")) == 0
    eventually(lambda: place.trash() == [])
    lab.xe("sr-scan", "uuid=" + sr)
    assert list(place.index()) == ["sr"]


def test_data_moves_between_hosts(place: Place, sr: str) -> None:
    one, two = place.lab.machine("host1"), place.lab.machine("host2")
    vdi = place.create_disk(sr, size="32MiB")
    disk = place.plug(vdi, "host1")
    written = one.run(["sh", "-c", "head -c 33554432 /dev/urandom | tee /tmp/data | dd of=%s bs=1M oflag=direct "
                       "iflag=fullblock conv=fsync status=none; sha256sum < /tmp/data" % disk.device])  # fmt: skip
    assert written.returncode == 0, written.stderr
    writer = place.index()["vdi." + vdi]["writer"]
    assert writer[0] == place.host_uuid("host1") and len(writer[3]) == 1
    status = json.loads(place.rbd("status", "--format", "json", "%s/vdi-%s" % (place.spec(), vdi)))
    assert [watcher["address"] for watcher in status["watchers"]] == writer[3]
    place.unplug(disk)
    assert place.index()["vdi." + vdi]["writer"] is None
    disk = place.plug(vdi, "host2", "RO")
    assert two.run(["sha256sum", disk.device]).stdout.split()[0] == written.stdout.split()[0]
    denied = two.run(["dd", "if=/dev/zero", "of=" + disk.device, "bs=4096", "count=1", "oflag=direct"])
    assert denied.returncode != 0
    place.unplug(disk)


def test_a_second_writer_is_refused(place: Place, sr: str) -> None:
    vdi = place.create_disk(sr)
    disk = place.plug(vdi, "host1")
    with pytest.raises(XeFailed):
        place.plug(vdi, "host2")
    assert place.index()["vdi." + vdi]["writer"][0] == place.host_uuid("host1")
    place.unplug(disk)
    place.unplug(place.plug(vdi, "host2"))


def test_several_readers(place: Place, sr: str) -> None:
    vdi = place.create_disk(sr)
    disks = [place.plug(vdi, host, "RO") for host in ("host1", "host2")]
    assert place.index()["vdi." + vdi]["writer"] is None
    for disk in disks:
        place.unplug(disk)


def test_a_disk_in_use_is_not_deleted(place: Place, sr: str) -> None:
    vdi = place.create_disk(sr)
    image = "%s/vdi-%s" % (place.spec(), vdi)
    holder = place.lab.machine("host3")
    # A client that XAPI knows nothing of, as an administrator's own `rbd bench`.
    place.rbd("bench", "--io-type", "write", "--io-total", "4096", image)
    command = "rbd -c /etc/ceph/hci.conf --id xcp bench --io-type write --io-total 1G --io-size 4096 %s" % image
    holder.run(["sh", "-c", "%s >/dev/null 2>&1 & echo $! > /tmp/bench.pid; sleep 2" % command])
    with pytest.raises(XeFailed) as caught:
        place.lab.xe("vdi-destroy", "uuid=" + vdi)
    assert "VDI_IN_USE" in str(caught.value) or "in use" in str(caught.value)
    assert place.index()["vdi." + vdi]["state"] == "ok"
    holder.run(["sh", "-c", "kill $(cat /tmp/bench.pid)"])
    place.wait_unwatched(vdi)


def test_scan_brings_back_what_xapi_lost(place: Place, sr: str) -> None:
    lab = place.lab
    vdi = place.create_disk(sr, "precious")
    lab.xe("vdi-param-set", "uuid=" + vdi, "name-description=of value")
    lab.xe("vdi-forget", "uuid=" + vdi)
    assert place.disks(sr) == []
    lab.xe("sr-scan", "uuid=" + sr)
    assert place.disks(sr) == [vdi]
    assert lab.xe("vdi-param-get", "uuid=" + vdi, "param-name=name-label") == "precious"
    assert lab.xe("vdi-param-get", "uuid=" + vdi, "param-name=name-description") == "of value"
    lab.xe("vdi-forget", "uuid=" + vdi)
    lab.xe("vdi-introduce", "uuid=" + vdi, "sr-uuid=" + sr, "type=user", "location=" + vdi)
    assert place.disks(sr) == [vdi]


def test_an_sr_is_known_again_from_storage_alone(place: Place) -> None:
    lab = place.lab
    sr = place.create_sr()
    vdi = place.create_disk(sr, "precious")
    for pbd in place.pbds(sr):
        lab.xe("pbd-unplug", "uuid=" + pbd)
    lab.xe("sr-forget", "uuid=" + sr)
    found = lab.xe("sr-probe", "type=ceph", *place.config(namespace=None))
    assert "<UUID>%s</UUID>" % sr in found and "<namespace>%s</namespace>" % place.namespace in found
    lab.xe("sr-introduce", "uuid=" + sr, "type=ceph", "shared=true", "name-label=again")
    for host in ("host1", "host2"):
        pbd = lab.xe("pbd-create", "sr-uuid=" + sr, "host-uuid=" + place.host_uuid(host), *place.config())
        lab.xe("pbd-plug", "uuid=" + pbd)
    assert place.disks(sr) == [vdi]
    assert lab.xe("vdi-param-get", "uuid=" + vdi, "param-name=name-label") == "precious"
    lab.xe("vdi-destroy", "uuid=" + vdi)
    place.destroy_sr(sr)


def test_a_lost_image_is_marked_and_kept(place: Place, sr: str) -> None:
    lab = place.lab
    vdi = place.create_disk(sr)
    place.rbd("rm", "--no-progress", "%s/vdi-%s" % (place.spec(), vdi))
    lab.xe("sr-scan", "uuid=" + sr)
    assert place.disks(sr) == [vdi]
    assert lab.xe("vdi-param-get", "uuid=" + vdi, "param-name=missing") == "true"
    with pytest.raises(XeFailed):
        place.plug(vdi, "host1")


def test_a_damaged_index_forgets_nothing(place: Place, sr: str) -> None:
    lab = place.lab
    vdi = place.create_disk(sr)
    place.rados("setomapval", "hci.sr", "vdi.00000000-0000-4000-8000-000000000000", "{")
    with pytest.raises(XeFailed) as caught:
        lab.xe("sr-scan", "uuid=" + sr)
    assert "HCI_INDEX_DAMAGED" in str(caught.value)
    assert place.disks(sr) == [vdi]
    place.rados("rmomapkey", "hci.sr", "vdi.00000000-0000-4000-8000-000000000000")
    lab.xe("sr-scan", "uuid=" + sr)


def test_the_key_is_nowhere_to_be_read(place: Place, sr: str) -> None:
    key = place.key()
    place.unplug(place.plug(place.create_disk(sr), "host1"))
    assert "device-config:password=%s" % key in place.config()
    shown = place.lab.xe("pbd-list", "sr-uuid=" + sr, "params=all")
    assert key not in shown and "password_secret" in shown
    for host in ("host1", "host2", "host3"):
        logs = place.lab.machine(host).run(["sh", "-c", "cat /var/log/*"]).stdout
        assert "SM:" in logs and key not in logs


def test_the_default_cluster_of_the_hosts(place: Place) -> None:
    sr = place.create_sr(monitors=None, user=None, password=None)
    vdi = place.create_disk(sr)
    place.unplug(place.plug(vdi, "host2"))
    place.lab.xe("vdi-destroy", "uuid=" + vdi)
    place.destroy_sr(sr)


def test_an_image_of_another_tool_is_not_taken_for_a_disk(place: Place, sr: str) -> None:
    place.rbd("create", "--size", "4M", "%s/vdi-stranger" % place.spec())
    place.lab.xe("sr-scan", "uuid=" + sr)
    assert place.disks(sr) == []
    assert place.images() == ["vdi-stranger"]
