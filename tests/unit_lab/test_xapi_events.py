"""event.from against its recorded shape, and the rules of tokens, order and time."""

import json
import threading
import time
from typing import Any

import pytest
from xapi_pool import Host

from lab.xapi.failure import Failure
from lab.xapi.schema import RECORDINGS

RECORDED = json.loads((RECORDINGS / "event_from.json").read_text(encoding="utf-8"))


def events(host: Host, session: str, classes: list[str], token: str, timeout: float = 0.0) -> dict[str, Any]:
    batch: dict[str, Any] = host.call("event.from", session, classes, token, timeout)
    return batch


def test_first_batch_has_the_recorded_shape(host: Host, session: str) -> None:
    host.master.db.create("message", name="ALARM", cls="Host", priority=3)
    batch = events(host, session, ["*"], "")
    assert sorted(batch) == ["events", "token", "valid_ref_counts"]
    assert len(batch["token"]) == len(RECORDED["token"]) and batch["token"][20] == ","
    assert sorted(batch["valid_ref_counts"]) == sorted(RECORDED["valid_ref_counts"])
    recorded = RECORDED["first_of_each"]["pool"]
    for event in batch["events"]:
        assert sorted(set(event) - {"snapshot"}) == sorted(recorded)
        assert event["timestamp"] == "0.0" and event["class"] == event["class"].lower()
        assert ("snapshot" in event) == (event["operation"] != "del")
    classes = {event["class"] for event in batch["events"]}
    assert {"pool", "host", "host_metrics", "host_cpu", "vm", "vm_metrics", "network", "console"} <= classes
    assert not {"session", "user"} & classes
    assert [event["id"] for event in batch["events"] if event["class"] == "message"] == ["0"]
    pool = next(event for event in batch["events"] if event["class"] == "pool")
    assert pool["snapshot"] == host.call("pool.get_record", session, pool["ref"])


def test_add_change_and_delete_since_a_token(host: Host, session: str) -> None:
    db = host.master.db
    token = events(host, session, ["vm"], "")["token"]
    vm = db.create("VM", name_label="new")
    batch = events(host, session, ["vm"], token)
    assert [(e["operation"], e["ref"]) for e in batch["events"]] == [("add", vm)]
    host.call("VM.set_name_label", session, vm, "other")
    host.call("VM.add_tags", session, vm, "t")
    changed = events(host, session, ["vm"], batch["token"])
    assert [(e["operation"], e["snapshot"]["name_label"]) for e in changed["events"]] == [("mod", "other")]
    db.delete("VM", vm)
    gone = events(host, session, ["VM"], changed["token"])
    assert [(e["operation"], e["ref"]) for e in gone["events"]] == [("del", vm)]
    assert events(host, session, ["vm"], batch["token"])["events"][0]["operation"] == "del"
    assert events(host, session, ["vm"], token)["events"] == []  # made and gone in between


def test_a_reference_changes_both_ends(host: Host, session: str) -> None:
    db = host.master.db
    sr = db.create("SR", name_label="sr")
    token = events(host, session, ["*"], "")["token"]
    vdi = db.create("VDI", SR=sr)
    batch = events(host, session, ["vdi", "sr"], token)
    assert [(e["class"], e["operation"]) for e in batch["events"]] == [("vdi", "add"), ("sr", "mod")]
    assert batch["events"][1]["snapshot"]["VDIs"] == [vdi]


def test_one_object(host: Host, session: str) -> None:
    one, two = host.master.db.create("VM"), host.master.db.create("VM")
    token = events(host, session, ["*"], "")["token"]
    for vm in (one, two):
        host.call("VM.set_name_label", session, vm, "x")
    batch = events(host, session, ["VM/%s" % two], token)
    assert [event["ref"] for event in batch["events"]] == [two]


def test_inject(host: Host, session: str) -> None:
    pool = host.call("pool.get_all", session)[0]
    token = host.call("event.inject", session, "pool", pool)
    assert token.endswith(",00000000000000000000")
    batch = events(host, session, ["pool"], token)
    assert [(e["operation"], e["ref"]) for e in batch["events"]] == [("mod", pool)]
    assert batch["token"] > token
    with pytest.raises(Failure) as caught:
        host.call("event.inject", session, "VM", pool)
    assert caught.value.description == ["HANDLE_INVALID", "VM", pool]


def test_it_waits_for_a_change_and_returns_early(host: Host, session: str) -> None:
    token = events(host, session, ["*"], "")["token"]
    timer = threading.Timer(0.3, lambda: host.master.db.create("network", name_label="late"))
    timer.start()
    begun = time.monotonic()
    batch = events(host, session, ["network"], token, 20.0)
    assert [event["snapshot"]["name_label"] for event in batch["events"]] == ["late"]
    assert 0.2 < time.monotonic() - begun < 5


def test_it_ends_with_its_time_and_an_unchanged_token(host: Host, session: str) -> None:
    token = events(host, session, ["*"], "")["token"]
    begun = time.monotonic()
    batch = events(host, session, ["*"], token, 0.3)
    assert batch["events"] == [] and batch["token"] == token
    assert 0.25 < time.monotonic() - begun < 2


def test_logging_out_ends_a_waiting_call(host: Host, session: str) -> None:
    token = events(host, session, ["*"], "")["token"]
    threading.Timer(0.2, lambda: host.call("session.logout", session)).start()
    with pytest.raises(Failure) as caught:
        events(host, session, ["vm"], token, 20.0)
    assert caught.value.code == "SESSION_INVALID"


def test_bad_token(host: Host, session: str) -> None:
    with pytest.raises(Failure) as caught:
        events(host, session, ["*"], "what")
    assert caught.value.description == ["EVENT_FROM_TOKEN_PARSE_FAILURE", "what"]
