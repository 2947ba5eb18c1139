"""The pool of three hosts, with an SR on Ceph, as clients and administrators meet it."""

import json
import subprocess
import threading
import uuid
from pathlib import Path

import pytest

from lab import npm
from lab.lab import Lab, XeFailed
from lab.place import Place

CLIENTS = Path(__file__).parents[1] / "unit_lab" / "clients"
PASSWORD_FILE = "/etc/lab/xapi.json"


@pytest.fixture
def place(lab: Lab) -> Place:
    """An RBD namespace of the test's own."""
    return Place(lab)


def login(lab: Lab) -> tuple[str, str]:
    """The master's URL as the lab's own namespaces reach it, and root's password."""
    facts = json.loads(lab.machine("host1").run(["cat", PASSWORD_FILE]).stdout)
    return "http://%s" % facts["address"], facts["root_password"]


@pytest.mark.parametrize("transport", ["json-rpc", "xml-rpc"])
def test_xen_orchestras_client_sees_the_sr_appear(place: Place, transport: str) -> None:
    lab = place.lab
    url, password = login(lab)
    name = "appears-%s" % uuid.uuid4()
    command = ["node", str(CLIENTS / "watch.mjs"), str(npm.modules()), url, "root", password, "SR", name, transport]
    with subprocess.Popen(lab.argv(command), stdout=subprocess.PIPE, text=True) as client:
        assert client.stdout is not None
        assert json.loads(client.stdout.readline())["connected"]
        sr = lab.xe("sr-create", "type=ceph", "shared=true", "name-label=" + name, *place.config())
        found = json.loads(client.stdout.readline())["found"]
        assert client.wait(timeout=30) == 0
    assert found["uuid"] == sr
    place.destroy_sr(sr)


PYTHON = """
import sys, XenAPI
session = XenAPI.xapi_local() if sys.argv[1] == "socket" else XenAPI.Session(sys.argv[1])
session.xenapi.login_with_password("root", sys.argv[2])
ref = session.xenapi.SR.get_by_uuid(sys.argv[3])
record = session.xenapi.SR.get_record(ref)
pbds = [session.xenapi.PBD.get_record(pbd) for pbd in record["PBDs"]]
print(record["type"], record["shared"], sorted({pbd["currently_attached"] for pbd in pbds}), len(pbds))
session.xenapi.session.logout()
"""


def test_the_python_client_sees_the_sr(place: Place) -> None:
    lab = place.lab
    sr = place.create_sr()
    url, password = login(lab)
    for machine, target in (("host1", "socket"), ("host2", "socket"), ("host3", url)):
        done = lab.machine(machine).run(["/usr/bin/python3", "-c", PYTHON, target, password, sr])
        assert done.stdout == "ceph True [True] 3\n", done.stderr
    place.destroy_sr(sr)


def test_two_administrators_make_an_sr_in_one_place(place: Place) -> None:
    outcomes: list[str] = []

    def create() -> None:
        try:
            outcomes.append(place.create_sr())
        except XeFailed as error:
            outcomes.append(str(error))

    threads = [threading.Thread(target=create) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    made = [outcome for outcome in outcomes if len(outcome) == 36]
    assert len(made) == 1, outcomes
    assert any("HCI_SR_EXISTS" in outcome for outcome in outcomes)
    assert place.index()["sr"]["sr"] == made[0]
    place.destroy_sr(made[0])


def call(lab: Lab, function: str, *arguments: str, host: str = "host1") -> str:
    """`xe host-call-plugin` of our plugin on a host."""
    where = lab.xe("host-list", "name-label=" + host, "--minimal")
    return lab.xe("host-call-plugin", "host-uuid=" + where, "plugin=hci", "fn=" + function, *arguments)


def test_status_and_preflight(place: Place) -> None:
    lab = place.lab
    sr = place.create_sr()
    for host in ("host1", "host3"):
        status = json.loads(call(lab, "status", host=host))
        mine = next(found for found in status["srs"] if found["uuid"] == sr)
        assert mine["verdict"] == "ok" and len(mine["attached"]) == 3
        assert all(cluster["reachable"] for cluster in status["clusters"])
        assert {cluster["osds"]["up"] for cluster in status["clusters"]} == {3}
    preflight = json.loads(call(lab, "preflight"))
    # The kernel of the test's machine has no rbd, which a host needs only for mapper=krbd.
    assert {row["check"] for row in preflight["checks"] if row["verdict"] != "pass"} <= {"krbd"}
    assert len([row for row in preflight["checks"] if row["check"] == "driver"]) == 4
    text = call(lab, "status", "args:format=text")
    assert "host2" in text and "3 of 3 OSDs up" in text
    assert place.key() not in call(lab, "status") + call(lab, "preflight") + text
    place.destroy_sr(sr)


def test_the_plugin_refuses_clearly(lab: Lab) -> None:
    with pytest.raises(XeFailed) as caught:
        call(lab, "status", "args:colour=b\u00fcro")
    assert "HCI_INVALID_ARGUMENT" in str(caught.value) and "args:colour" in str(caught.value)
    with pytest.raises(XeFailed) as caught:
        call(lab, "no-such-thing")
    assert "UNKNOWN_XENAPI_PLUGIN_FUNCTION" in str(caught.value)


def test_preflight_finds_a_host_without_the_driver(lab: Lab) -> None:
    host = lab.machine("host2")
    host.run(["mv", "/opt/xensource/sm/CephSR", "/opt/xensource/sm/CephSR.away"])
    try:
        document = json.loads(call(lab, "preflight"))
    finally:
        host.run(["mv", "/opt/xensource/sm/CephSR.away", "/opt/xensource/sm/CephSR"])
    failed = [row for row in document["checks"] if row["verdict"] == "fail"]
    assert [(row["host"], row["check"]) for row in failed] == [("host2", "driver")]
    assert "yum" in failed[0]["way_out"]
