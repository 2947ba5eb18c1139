"""The document of a node: what is accepted, and how each mistake is named."""

import json
from typing import Any, Callable, Dict, List, Tuple

import pytest

from cephhci.node import document
from cephhci.node.errors import DocumentInvalid

FSID = "6a9c9a0e-3f0a-4c1f-9c4e-5d1a3f1f6b11"
UUID = "7b9c9a0e-3f0a-4c1f-9c4e-5d1a3f1f6b22"
KEY = "AQBkZGRkAAAAABAAMTIzNDU2Nzg5MDEyMzQ1Ng=="


def whole() -> Dict[str, Any]:
    return {
        "schema": 1,
        "fsid": FSID,
        "node": "node1",
        "public": {"address": "10.83.0.21", "network": "10.83.0.0/24"},
        "cluster": {"address": "10.84.0.21", "network": "10.84.0.0/24"},
        "monitors": [{"name": "node1", "address": "10.83.0.21"}, {"name": "node2", "address": "10.83.0.22"}],
        "auth": {
            "mon.": {"key": KEY, "caps": {"mon": "allow *"}},
            "mgr.node1": {"key": KEY, "caps": {"mon": "allow profile mgr"}},
            "client.admin": {"key": KEY, "caps": {"mon": "allow *"}},
            "client.bootstrap-osd": {"key": KEY, "caps": {"mon": "allow profile bootstrap-osd"}},
        },
        "local_keyrings": ["client.admin"],
        "disks": [{"path": "/dev/disk/by-id/ata-1"}, {"path": "/dev/disk/by-id/ata-2", "uuid": UUID}],
        "options": {"osd": {"osd_memory_target": 2147483648, "bluestore_cache_autotune": False}},
        "crush": {"root": "default", "host": "host1"},
    }


def test_whole_document() -> None:
    parsed = document.parse(json.dumps(whole()))
    assert parsed.public == document.Interface("10.83.0.21", "10.83.0.0/24")
    assert parsed.disks[1] == document.Disk("/dev/disk/by-id/ata-2", UUID)
    assert parsed.options == {"osd": {"osd_memory_target": "2147483648", "bluestore_cache_autotune": "false"}}
    assert (parsed.crush_root, parsed.crush_host, parsed.user) == ("default", "host1", "ceph")
    assert parsed.has_mon and parsed.has_mgr
    assert KEY not in repr(parsed)


def test_defaults() -> None:
    value = whole()
    for name in ("cluster", "local_keyrings", "options", "crush"):
        del value[name]
    parsed = document.parse(json.dumps(value))
    assert parsed.cluster == parsed.public
    assert (parsed.crush_root, parsed.crush_host) == ("default", "node1")


def test_node_without_monitor_and_manager() -> None:
    value = whole()
    value["node"] = "node4"
    value["public"]["address"] = "10.83.0.24"
    del value["auth"]["mon."]
    parsed = document.parse(json.dumps(value))
    assert not parsed.has_mon and not parsed.has_mgr


def put(*path: Any) -> Callable[[Dict[str, Any]], None]:
    """A change to the document: the last of ``path`` is the new value, DROP removes the member."""

    def change(value: Any) -> None:
        *way, last, new = path
        for step in way:
            value = value[step]
        if new is DROP:
            del value[last]
        else:
            value[last] = new

    return change


DROP = object()
WRONG: List[Tuple[Callable[[Dict[str, Any]], None], str]] = [
    (put("schema", 2), "schema: must be 1"),
    (put("schema", True), "schema: must be 1"),
    (put("schema", DROP), "schema: is missing"),
    (put("colour", "red"), "colour: is not a known field"),
    (put("fsid", FSID.upper()), "fsid: must be a UUID"),
    (put("node", "node_1"), "node: must be a host name"),
    (put("node", "node1\n"), "node: must be a host name"),
    (put("public", "address", "10.83.1.21"), "public.address: is not in the network 10.83.0.0/24"),
    (put("public", "address", "fd00::1"), "public.address: must be an IPv4 address"),
    (put("public", "network", "10.83.0.1/24"), "public.network: must be an IPv4 network"),
    (put("public", "gateway", "10.83.0.1"), "public.gateway: is not a known field"),
    (put("cluster", None), "cluster: must be an object"),
    (put("monitors", []), "monitors: must name at least one"),
    (put("monitors", {}), "monitors: must be a list"),
    (put("monitors", 1, "name", "node1"), "monitors[1]: has the name or the address"),
    (put("monitors", 1, "address", "10.83.0.21"), "monitors[1]: has the name or the address"),
    (put("monitors", 0, "address", "10.83.0.29"), "monitors[0]: agrees with this node in only one"),
    (put("monitors", 0, "name", "node9"), "monitors[0]: agrees with this node in only one"),
    (put("auth", "mon.", DROP), "auth[mon.]: is missing"),
    (put("auth", "client.bootstrap-osd", DROP), "auth[client.bootstrap-osd]: is missing"),
    (put("auth", "osd.0", {}), "auth[osd.0]: is not mon., mgr.NAME or client.NAME"),
    (put("auth", "mon.", "key", "c2VjcmV0"), "auth[mon.].key: must be a cephx key"),
    (put("auth", "mon.", "key", 7), "auth[mon.].key: must be a cephx key"),
    (put("auth", "mon.", "caps", "mon", "allow *\n[client.evil]"), "auth[mon.].caps.mon: must be a line"),
    (put("auth", "mon.", "caps", "disk", "allow *"), "auth[mon.].caps.disk: is not one of"),
    (put("local_keyrings", ["client.x"]), "local_keyrings[0]: must be the name of a client in auth"),
    (put("local_keyrings", ["mon."]), "local_keyrings[0]: must be the name of a client in auth"),
    (put("disks", 0, "path", "sda"), "disks[0].path: must be an absolute path"),
    (put("disks", 0, "uuid", None), "disks[0].uuid: must be a UUID"),
    (put("disks", 0, "path", "/dev/disk/by-id/ata-2"), "disks[1]: has the path or the uuid"),
    (put("disks", 0, "uuid", UUID), "disks[1]: has the path or the uuid"),
    (put("options", "mds", {}), "options.mds: is not one of"),
    (put("options", "global", {"keyring": "/k"}), "options.global.keyring: follows from other fields"),
    (put("options", "osd", "Memory", 1), "options.osd.Memory: is not the name"),
    (put("options", "osd", "osd_memory_target", "1\nkeyring=/k"), "options.osd.osd_memory_target: must be"),
    (put("options", "osd", "osd_memory_target", float("inf")), "options.osd.osd_memory_target: must be"),
    (put("options", "osd", "osd_memory_target", None), "options.osd.osd_memory_target: must be"),
    (put("crush", "host", "a b"), "crush.host: must be a CRUSH name"),
    (put("crush", "rack", "r1"), "crush.rack: is not a known field"),
    (put("user", "-root"), "user: must be the name of a system user"),
]


@pytest.mark.parametrize("change, reason", WRONG, ids=[reason for _, reason in WRONG])
def test_mistake_is_named(change: Callable[[Dict[str, Any]], None], reason: str) -> None:
    value = whole()
    change(value)
    with pytest.raises(DocumentInvalid) as caught:
        document.parse(json.dumps(value))
    assert str(caught.value).startswith("node document: " + reason)
    assert KEY not in str(caught.value)


@pytest.mark.parametrize("text", ["", "{", "[]", "null", '{"schema": 1, "schema": 1}'])
def test_not_a_document(text: str) -> None:
    with pytest.raises(DocumentInvalid):
        document.parse(text)
