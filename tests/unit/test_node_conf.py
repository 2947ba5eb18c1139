"""ceph.conf, keyrings and the seed of a new cluster."""

import configparser
import json
from typing import Dict

from cephhci.node import conf, document, seed
from cephhci.node.document import Credential, Interface
from cephhci.node.paths import Paths

KEY = "AQBkZGRkAAAAABAAMTIzNDU2Nzg5MDEyMzQ1Ng=="


def counting(length: int) -> bytes:
    counting.calls += 1  # type: ignore[attr-defined]
    return bytes([counting.calls]) * length  # type: ignore[attr-defined]


def make(nodes: int = 3) -> seed.Seed:
    counting.calls = 0  # type: ignore[attr-defined]
    specs = [
        seed.NodeSpec(
            "node%d" % number,
            Interface("10.83.0.2%d" % number, "10.83.0.0/24"),
            Interface("10.84.0.2%d" % number, "10.84.0.0/24"),
            ["/dev/disk/by-id/ata-%d" % number],
            "host%d" % number,
        )
        for number in range(1, nodes + 1)
    ]
    return seed.cluster(seed.ClusterSpec(specs, "xcp", {"mon": {"mon_tick_interval": 1}}), counting, 1700000000)


def sections(text: str) -> Dict[str, Dict[str, str]]:
    parser = configparser.RawConfigParser()
    parser.read_string(text)
    return {name: dict(parser.items(name)) for name in parser.sections()}


def test_conf() -> None:
    parsed = document.parse(make().documents["node2"])
    found = sections(conf.ceph_conf(parsed, Paths("/r")))
    assert found["global"]["fsid"] == parsed.fsid
    assert found["global"]["mon_host"].startswith("[v2:10.83.0.21:3300,v1:10.83.0.21:6789],[v2:10.83.0.22:")
    assert "keyring" not in found["global"] and "public_addr" not in found["global"]
    assert found["mon"]["keyring"] == "/r/var/lib/ceph/mon/ceph-$id/keyring"
    assert found["mon"]["auth_allow_insecure_global_id_reclaim"] == "false"
    assert found["mon"]["mon_allow_pool_size_one"] == "false"
    assert found["mon"]["mon_tick_interval"] == "1"
    assert found["osd"]["crush_location"] == "root=default host=host2"
    assert found["osd"]["public_addr"] == "10.83.0.22" and found["osd"]["cluster_addr"] == "10.84.0.22"


def test_document_overrides_a_default_but_nothing_derived() -> None:
    value = json.loads(make().documents["node1"])
    value["options"] = {"mon": {"paxos_propose_interval": 0.05}}
    found = sections(conf.ceph_conf(document.parse(json.dumps(value)), Paths()))
    assert found["mon"]["paxos_propose_interval"] == "0.05"
    assert found["osd"]["osd_data"] == "/var/lib/ceph/osd/ceph-$id"


def test_keyring_quotes_capabilities() -> None:
    caps = {"mon": 'allow r, allow command "osd blocklist"'}
    assert conf.keyring([("client.fence", Credential(KEY, caps))]) == (
        '[client.fence]\n\tkey = %s\n\tcaps mon = "allow r, allow command \\"osd blocklist\\""\n' % KEY
    )


def test_seed_is_one_cluster() -> None:
    made = make()
    parsed = {name: document.parse(text) for name, text in made.documents.items()}
    assert sorted(parsed) == ["node1", "node2", "node3"]
    assert {item.fsid for item in parsed.values()} == {made.fsid}
    assert len({repr(item.monitors) for item in parsed.values()}) == 1
    first = parsed["node1"]
    assert all(item.auth == first.auth for item in parsed.values())
    keys = [credential.key for credential in first.auth.values()]
    assert len(set(keys)) == len(keys)
    assert parsed["node3"].crush_host == "host3"
    assert [disk.path for disk in parsed["node3"].disks] == ["/dev/disk/by-id/ata-3"]


def test_seed_gives_dom0_its_keys() -> None:
    made = make()
    assert sorted(made.keyrings) == ["client.admin", "client.xcp"]
    assert 'caps osd = "profile rbd pool=xcp"' in made.keyrings["client.xcp"]
    assert 'caps mon = "profile rbd"' in made.keyrings["client.xcp"]
    assert made.monitors == {"node%d" % number: "10.83.0.2%d" % number for number in (1, 2, 3)}


def test_seed_of_many_nodes_has_five_monitors() -> None:
    made = make(7)
    assert len(made.monitors) == 5
    last = document.parse(made.documents["node7"])
    assert not last.has_mon and last.has_mgr


def test_secret_has_the_form_of_a_cephx_key() -> None:
    assert seed.secret(lambda length: b"1234567890123456"[:length], 1684300900) == KEY
