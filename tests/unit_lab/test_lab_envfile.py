"""The environment file: what is accepted, and what the refusal of the rest says."""

from pathlib import Path

import pytest

from lab import envfile
from lab.envfile import BadEnvironment, parse

THREE = Path(__file__).resolve().parents[1] / "lab" / "envs" / "three.toml"
SMALL = """
[networks]
public = "10.0.0.0/24"
cluster = "10.1.0.0/24"
[hosts.host1]
public = "10.0.0.11"
[nodes.node1]
public = "10.0.0.21"
cluster = "10.1.0.21"
disks = { osd0 = "2GiB", osd1 = "1TiB" }
"""


def test_the_environment_of_the_tests() -> None:
    environment = parse(THREE.read_text(encoding="utf-8"))
    assert [host.name for host in environment.hosts] == ["host1", "host2", "host3"]
    assert [node.public for node in environment.nodes] == ["10.83.0.21", "10.83.0.22", "10.83.0.23"]
    assert [network.switch for network in environment.networks] == ["10.83.0.254/24", "10.84.0.254/24"]
    assert environment.ceph_pool == "xcp"
    assert environment.ceph_options["osd"]["bluestore_cache_autotune"] == "false"


def test_a_machine() -> None:
    node = parse(SMALL).machine("node1")
    assert (node.kind, node.addresses) == ("node", {"public": "10.0.0.21", "cluster": "10.1.0.21"})
    assert node.disks == {"osd0": 2 * 2**30, "osd1": 2**40}


def test_an_unknown_machine_is_named_with_those_there_are() -> None:
    with pytest.raises(BadEnvironment, match="no machine node9 .* host1 node1"):
        parse(SMALL).machine("node9")


REFUSED = [
    ("= 3 =", "= 3 =", "not TOML"),
    ("[networks]", '[disks]\nx = "1GiB"\n[networks]', "unknown key disks; known are: ceph hosts networks nodes"),
    ('public = "10.0.0.0/24"', 'storage = "10.0.0.0/24"', "no network named public"),
    ('"10.1.0.0/24"', '"10.1.0.1/24"', "networks.cluster: '10.1.0.1/24' is not a subnet"),
    ('"10.1.0.0/24"', '"10.1.0.0/28"', "networks.cluster: 10.1.0.0/28 is smaller than /24"),
    ('"10.1.0.0/24"', '"10.0.0.0/16"', "networks.cluster: 10.0.0.0/16 overlaps networks.public"),
    ("hosts.host1", "hosts.Host1", "hosts.Host1: a name is 1 to 7"),
    ("hosts.host1", "hosts.longname", "hosts.longname: a name is 1 to 7"),
    ("hosts.host1", "hosts.node1", "node1: the name is used twice"),
    ('"10.0.0.11"', '"10.9.0.11"', "hosts.host1.public: 10.9.0.11 is not in 10.0.0.0/24"),
    ('"10.0.0.11"', '"10.0.0"', "hosts.host1.public: '10.0.0' is not an IPv4 address"),
    ('"10.0.0.11"', '"10.0.0.254"', "hosts.host1.public: 10.0.0.254 is reserved"),
    ('"10.0.0.11"', '"10.0.0.21"', "node1: 10.0.0.21 already belongs to host1"),
    ('public = "10.0.0.11"', "", "hosts.host1: has no address in the public network"),
    ('public = "10.0.0.11"', 'public = "10.0.0.11"\ndisks = {}', "hosts.host1: unknown key disks"),
    ('"2GiB"', '"2 GB"', "nodes.node1.disks.osd0: '2 GB' is not a size"),
    ('"2GiB"', "2147483648", "nodes.node1.disks.osd0: 2147483648 is not a size"),
    ('"2GiB"', '"900MiB"', "nodes.node1.disks.osd0: 900MiB is smaller than 1GiB"),
    ("[hosts.host1]", '[ceph]\npool = "a/b"\n[hosts.host1]', "ceph.pool: 'a/b' is not a pool name"),
    ("[hosts.host1]", "[ceph.options.osd]\nx = [1]\n[hosts.host1]", "ceph.options.osd.x: must be a text"),
    ("[hosts.host1]", "[ceph]\nsize = 1\n[hosts.host1]", "ceph: unknown key size"),
]


@pytest.mark.parametrize(("old", "new", "reason"), REFUSED, ids=[case[2][:40] for case in REFUSED])
def test_refused(old: str, new: str, reason: str) -> None:
    text = SMALL.replace(old, new) if old in SMALL else SMALL + new
    with pytest.raises(BadEnvironment) as caught:
        parse(text)
    assert reason in str(caught.value)


def test_a_lab_without_machines_is_refused() -> None:
    with pytest.raises(BadEnvironment, match="neither a host nor a node"):
        parse('[networks]\npublic = "10.0.0.0/24"\n')


@pytest.mark.parametrize(("text", "size"), [("1MiB", 2**20), ("20GiB", 20 * 2**30), ("3TiB", 3 * 2**40)])
def test_sizes(text: str, size: int) -> None:
    assert envfile.size(text, "here") == size
