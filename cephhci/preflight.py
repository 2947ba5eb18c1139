"""The answer to ``fn=preflight``: is every host ready? Pure: the facts come from ``host-facts`` of every host."""

from typing import Any, Callable, Dict, List, Mapping, NamedTuple

from cephhci.table import render
from cephhci.xapi.port import HostRecord, PoolRecord

PASS = "pass"
WARN = "warn"
FAIL = "fail"
RANK = (PASS, WARN, FAIL)


class Row(NamedTuple):
    """One check of one host; ``way_out`` is empty when it passed."""

    check: str
    host: str
    verdict: str
    text: str
    way_out: str


def rows(record: PoolRecord, facts: Mapping[str, Mapping[str, Any]]) -> List[Row]:
    """Judge every host; ``facts`` by host uuid, with ``error`` and ``reason`` in place of those that did not answer."""
    judged = [_registered(record)]
    answered = {uuid: answer for uuid, answer in facts.items() if "error" not in answer}
    for host in record.hosts:
        answer = facts[host.uuid]
        if "error" in answer:
            judged.append(Row("answer", host.name, FAIL, str(answer["reason"]), "See the reason"))
            continue
        judged.append(_enabled(host))
        judged += [check(host, answer) for check in CHECKS]
        judged += _clusters(host, answer)
    judged.append(_versions(record, answered))
    return judged


def document(judged: List[Row]) -> Dict[str, Any]:
    """The result with stable keys."""
    return {
        "verdict": max((row.verdict for row in judged), key=RANK.index),
        "checks": [dict(row._asdict()) for row in judged],
    }


def text(result: Mapping[str, Any]) -> str:
    """The same for a person, what is wrong last."""
    checks = sorted(result["checks"], key=lambda row: RANK.index(row["verdict"]))
    table = render(
        ("VERDICT", "HOST", "CHECK", "RESULT"),
        [(row["verdict"].upper(), row["host"], row["check"], row["text"]) for row in checks],
    )
    ways = ["%s, %s: %s" % (row["host"], row["check"], row["way_out"]) for row in checks if row["way_out"]]
    return "\n".join([table, "", str(result["verdict"]).upper()] + ways)


def _registered(record: PoolRecord) -> Row:
    if record.driver_registered:
        return Row("driver", "pool", PASS, "XAPI knows SR type ceph", "")
    return Row(
        "driver", "pool", FAIL, "XAPI does not know SR type ceph", "Run xe-toolstack-restart on every host"
    )


def _driver(host: HostRecord, answer: Mapping[str, Any]) -> Row:
    driver = answer["driver"]
    if not driver["installed"]:
        return Row("driver", host.name, FAIL, "CephSR is not installed", "yum reinstall xcpng-ceph-hci")
    if not driver["allowed"]:
        return Row(
            "driver",
            host.name,
            FAIL,
            "sm-plugins of XAPI does not allow ceph",
            "Run /usr/libexec/xcpng-ceph-hci/sm-plugins-update, then xe-toolstack-restart",
        )
    return Row("driver", host.name, PASS, "installed and allowed", "")


def _bindings(host: HostRecord, answer: Mapping[str, Any]) -> Row:
    bindings = answer["bindings"]
    if bindings["present"]:
        return Row("bindings", host.name, PASS, "librados %s" % bindings["librados"], "")
    return Row("bindings", host.name, FAIL, str(bindings["reason"]), "Install the Ceph client on that host")


def _krbd(host: HostRecord, answer: Mapping[str, Any]) -> Row:
    krbd = answer["krbd"]
    if krbd["present"]:
        return Row("krbd", host.name, PASS, ", ".join(krbd["features"]), "")
    return Row("krbd", host.name, WARN, str(krbd["reason"]), "Needed for SRs with mapper=krbd: modprobe rbd")


def _enabled(host: HostRecord) -> Row:
    if host.enabled:
        return Row("host", host.name, PASS, "enabled", "")
    return Row("host", host.name, WARN, "disabled", "xe host-enable uuid=%s" % host.uuid)


CHECKS: List[Callable[[HostRecord, Mapping[str, Any]], Row]] = [_driver, _bindings, _krbd]


def _clusters(host: HostRecord, answer: Mapping[str, Any]) -> List[Row]:
    return [
        Row("cluster %s" % cluster["cluster"], host.name, PASS, "reached as client.%s" % cluster["user"], "")
        if cluster["reachable"]
        else Row(
            "cluster %s" % cluster["cluster"],
            host.name,
            FAIL,
            str(cluster["reason"]),
            "Check this host's network, and its files in /etc/ceph",
        )
        for cluster in answer["clusters"]
    ]


def _versions(record: PoolRecord, answered: Mapping[str, Mapping[str, Any]]) -> Row:
    names = {host.uuid: host.name for host in record.hosts}
    found = {names[uuid]: str(answer["package"]) for uuid, answer in answered.items()}
    different = sorted(set(found.values()))
    if len(different) == 1:
        return Row("versions", "pool", PASS, "xcpng-ceph-hci %s on every host that answered" % different[0], "")
    if not different:
        return Row("versions", "pool", FAIL, "no host answered", "See why in the other rows")
    told = ", ".join("%s has %s" % pair for pair in sorted(found.items()))
    return Row("versions", "pool", FAIL, told, "Bring all hosts to the same version with yum")
