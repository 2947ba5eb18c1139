"""The plugin's functions on a pool in memory."""

import json
from typing import Any, Dict, List, Tuple

import pytest

from cephhci import clusters, errors, functions, health, hostfacts, plugin, preflight, status
from cephhci.ceph.memory import MemoryCluster
from cephhci.host.krbd import Krbd
from cephhci.target import Target
from cephhci.xapi.port import Attachment, HostRecord, MemoryPool, PoolRecord, SrRecord

KEY = "AQBkZGRkAAAAABAAMTIzNDU2Nzg5MDEyMzQ1Ng=="
CONFIG = (("monitors", "10.0.0.1"), ("password_secret", "s1"), ("pool", "xcp"))
STATUS: Dict[str, Any] = {
    "health": {
        "status": "HEALTH_WARN",
        "checks": {"OSD_DOWN": {"severity": "HEALTH_WARN", "summary": {"message": "1 osds down", "count": 1}}},
    },
    "quorum_names": ["node1", "node2"],
    "monmap": {"num_mons": 3},
    "mgrmap": {"available": True},
    "osdmap": {"num_osds": 3, "num_up_osds": 2, "num_in_osds": 3},
    "pgmap": {"num_pgs": 17, "pgs_by_state": [{"state_name": "active+clean", "count": 9}]},
}


class Cluster(MemoryCluster):
    """A cluster that knows the command ``status``."""

    def command(self, prefix: str, arguments: Any = None) -> object:
        return STATUS if prefix == "status" else super().command(prefix, arguments)


def host(number: int, **fields: Any) -> HostRecord:
    record = HostRecord("h%d" % number, "host%d" % number, "10.0.0.%d" % number, live=True, enabled=True)
    return record._replace(**fields)


def pool(*hosts: HostRecord, **fields: Any) -> PoolRecord:
    attachments = tuple(Attachment(h.uuid, attached=True, config=CONFIG) for h in hosts)
    sr = SrRecord("s", "Ceph", 3 << 40, 1 << 40, 2 << 40, 7, attachments)
    record = PoolRecord("p", "lab", "h1", ha=False, driver_registered=True, hosts=hosts, srs=(sr,))
    return record._replace(**fields)


GOOD: Dict[str, Any] = {
    "package": "1.0",
    "python": "3.6.8",
    "bindings": {"present": True, "librados": "2.0"},
    "driver": {"installed": True, "allowed": True},
    "krbd": {"present": True, "features": ["layering"]},
    "clusters": [{"cluster": "10.0.0.1", "user": "xcp", "reachable": True}],
}


def context(record: PoolRecord, answers: Dict[Tuple[str, str], str], connect: Any = None) -> plugin.Context:
    xapi = MemoryPool(record, answers, {"s1": KEY})
    return plugin.Context(xapi, "h1", lambda: dict(GOOD), connect or (lambda target, seconds: Cluster()))


def test_every_function_has_a_handler() -> None:
    assert set(plugin.HANDLERS) == {function.name for function in functions.FUNCTIONS}


def test_arguments_are_checked_against_the_table() -> None:
    here = context(pool(host(1)), {})
    with pytest.raises(errors.InvalidArgument) as caught:
        plugin.answer("status", {"formt": "text"}, here)
    assert "args:formt" in str(caught.value) and "format" in caught.value.advice
    with pytest.raises(errors.InvalidArgument):
        plugin.answer("status", {"format": "b\u00fcro"}, here)
    with pytest.raises(errors.InvalidArgument):
        plugin.answer("nothing", {}, here)


def test_a_required_argument() -> None:
    needed = functions.Argument("pci", "an address", None, ())  # type: ignore[arg-type]
    with pytest.raises(errors.MissingArgument):
        functions.check(functions.Function("f", "", (needed,)), {})


def test_help_names_every_function_and_argument() -> None:
    here = context(pool(host(1)), {})
    text = plugin.answer("help", {"format": "text"}, here)
    data = json.loads(plugin.answer("help", {}, here))["functions"]
    for function in functions.FUNCTIONS:
        assert function.name in text and function.summary in text
    assert [entry["function"] for entry in data] == [function.name for function in functions.FUNCTIONS]


def test_status() -> None:
    seen: List[Target] = []

    def connect(target: Target, seconds: int) -> Cluster:
        seen.append(target)
        return Cluster()

    document = json.loads(plugin.answer("status", {}, context(pool(host(1), host(2)), {}, connect)))
    assert document["verdict"] == "warning"
    assert document["clusters"][0]["osds"] == {"total": 3, "up": 2, "in": 3}
    assert document["clusters"][0]["checks"][0]["code"] == "OSD_DOWN"
    assert document["srs"][0]["attached"] == ["h1", "h2"]
    assert [target.key for target in seen] == [KEY]
    assert KEY not in json.dumps(document)


def test_a_cluster_with_two_names_is_shown_once() -> None:
    reports = [{"cluster": "hci", "fsid": "f"}, {"cluster": "10.0.0.1", "fsid": "f"}, {"cluster": "10.0.0.2"}]
    assert [report["cluster"] for report in clusters.distinct(reports)] == ["hci", "10.0.0.2"]


def test_status_when_the_cluster_is_gone() -> None:
    def connect(target: Target, seconds: int) -> Cluster:
        raise errors.ClusterUnreachable(what="connecting", reason="timed out")

    here = context(pool(host(1)), {}, connect)
    document = json.loads(plugin.answer("status", {}, here))
    assert document["verdict"] == "error"
    assert document["clusters"][0]["error"] == "HCI_CLUSTER_UNREACHABLE"
    assert "does not answer" in plugin.answer("status", {"format": "text"}, here)


def test_status_of_an_sr_that_is_not_attached_everywhere() -> None:
    record = pool(host(1), host(2))
    sr = record.srs[0]
    half = sr._replace(attachments=(sr.attachments[0], sr.attachments[1]._replace(attached=False)))
    document = status.report(record._replace(srs=(half,)), [])
    assert document["srs"][0]["verdict"] == "warning"
    assert document["srs"][0]["detached"] == ["h2"]
    assert "host2" in status.text(document)
    none = sr._replace(attachments=())
    assert status.report(record._replace(srs=(none,)), [])["verdict"] == "error"


def test_status_without_any_sr_or_with_a_dead_host() -> None:
    assert "No SR of type ceph" in status.text(status.report(pool(host(1), srs=()), []))
    document = status.report(pool(host(1, live=False), srs=()), [])
    assert document["verdict"] == "error" and "NOT LIVE" in status.text(document)


def facts(**changes: Any) -> Dict[str, Any]:
    return dict(GOOD, **changes)


def failures(record: PoolRecord, answers: Dict[str, Dict[str, Any]]) -> List[Tuple[str, str]]:
    judged = preflight.rows(record, answers)
    assert all(row.way_out for row in judged if row.verdict != "pass")
    assert not any(row.way_out for row in judged if row.verdict == "pass")
    return [(row.host, row.check) for row in judged if row.verdict != "pass"]


@pytest.mark.parametrize(
    "changes, expected",
    [
        ({}, []),
        ({"package": "0.9"}, [("pool", "versions")]),
        ({"driver": {"installed": False, "allowed": True}}, [("host2", "driver")]),
        ({"driver": {"installed": True, "allowed": False}}, [("host2", "driver")]),
        ({"bindings": {"present": False, "reason": "No module"}}, [("host2", "bindings")]),
        ({"krbd": {"present": False, "reason": "no module"}}, [("host2", "krbd")]),
        (
            {"clusters": [{"cluster": "hci", "user": "x", "reachable": False, "reason": "timed out"}]},
            [("host2", "cluster hci")],
        ),
    ],
)
def test_preflight_finds_what_is_wrong(changes: Dict[str, Any], expected: List[Tuple[str, str]]) -> None:
    assert failures(pool(host(1), host(2)), {"h1": facts(), "h2": facts(**changes)}) == expected


def test_preflight_of_pool_wide_trouble() -> None:
    record = pool(host(1, enabled=False), driver_registered=False)
    assert failures(record, {"h1": facts()}) == [("pool", "driver"), ("host1", "host")]


def test_preflight_when_nobody_answers() -> None:
    silent = {"error": "HCI_PLUGIN_MISSING", "reason": "host h1 does not have it"}
    assert failures(pool(host(1)), {"h1": silent}) == [("host1", "answer"), ("pool", "versions")]


def test_preflight_asks_every_host() -> None:
    answers = {("h1", "host-facts"): json.dumps(GOOD)}
    here = context(pool(host(1), host(2)), answers)
    document = json.loads(plugin.answer("preflight", {}, here))
    assert document["verdict"] == "fail"
    missing = [row for row in document["checks"] if row["verdict"] == "fail"]
    assert [(row["host"], row["check"]) for row in missing] == [("host2", "answer")]
    assert "yum install" in missing[0]["text"]
    text = plugin.answer("preflight", {"format": "text"}, here)
    assert text.splitlines()[-1].startswith("host2, answer")


def test_health_of_older_and_newer_ceph() -> None:
    nested = dict(STATUS, osdmap={"osdmap": STATUS["osdmap"]})
    assert health.summarise(nested) == health.summarise(STATUS)
    assert health.worst([]) == "ok" and health.worst(["ok", "error", "warning"]) == "error"


def test_facts_of_a_host(tmp_path: Any) -> None:
    def missing() -> Dict[str, str]:
        raise errors.BindingsMissing(reason="No module named 'rados'")

    bare = hostfacts.gather(missing, Krbd(str(tmp_path)), str(tmp_path))
    assert bare["driver"] == {"installed": False, "allowed": False}
    assert bare["bindings"]["error"] == "HCI_BINDINGS_MISSING" and not bare["krbd"]["present"]
    driver = tmp_path / "opt" / "xensource" / "sm" / "CephSR"
    driver.parent.mkdir(parents=True)
    driver.write_text("", encoding="utf-8")
    driver.chmod(0o755)
    folder = tmp_path / "etc" / "xapi.conf.d"
    folder.mkdir(parents=True)
    (folder / "zz.conf").write_text("sm-plugins=ext ceph\n", encoding="utf-8")
    ready = hostfacts.gather(lambda: {"librados": "2"}, Krbd(str(tmp_path)), str(tmp_path))
    assert ready["driver"] == {"installed": True, "allowed": True}
    assert ready["bindings"] == {"present": True, "librados": "2"}
