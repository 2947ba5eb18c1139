"""Task records, as recorded."""

import json
import re
import time
from typing import Any

import pytest
from xapi_pool import Host

import lab.xapi.secret  # noqa: F401 (a class to call asynchronously)
from lab.xapi import registry
from lab.xapi.schema import RECORDINGS

RECORDED = json.loads((RECORDINGS / "task.json").read_text(encoding="utf-8"))
DATE = re.compile(r"\d{8}T\d\d:\d\d:\d\dZ$")


def finished(host: Host, session: str, task: str) -> dict[str, Any]:
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        record: dict[str, Any] = host.call("task.get_record", session, task)
        if record["status"] != "pending":
            return record
        time.sleep(0.01)
    raise AssertionError("the task does not end")


def same_shape(host: Host, record: dict[str, Any], recorded: dict[str, Any], own: tuple[str, ...]) -> None:
    """All fields are equal but those that are the call's own."""
    assert sorted(record) == sorted(recorded)
    for name, value in recorded.items():
        if name not in ("uuid", "created", "finished", "resident_on", "name_label", *own):
            assert record[name] == value, name
    assert DATE.match(record["created"]) and DATE.match(record["finished"])
    assert record["resident_on"] == host.master.host


def test_success_with_a_result(host: Host, session: str) -> None:
    task = host.call("Async.secret.create", session, {"value": "x", "other_config": {}})
    record = finished(host, session, task)
    same_shape(host, record, RECORDED["Async.VDI.create"]["result"], ("result",))
    assert record["name_label"] == "Async.secret.create"
    assert re.fullmatch(r"<value>OpaqueRef:[0-9a-f-]{36}</value>", record["result"])


def test_success_without_a_result(host: Host, session: str) -> None:
    secret = host.call("secret.create", session, {"value": "x", "other_config": {}})
    record = finished(host, session, host.call("Async.secret.destroy", session, secret))
    same_shape(host, record, RECORDED["Async.SR.scan"]["result"], ())


def test_failure(host: Host, session: str) -> None:
    record = finished(host, session, host.call("Async.secret.destroy", session, "OpaqueRef:none"))
    recorded = RECORDED["Async.VDI.destroy of a disk in use"]["result"]
    same_shape(host, record, recorded, ("error_info",))
    assert record["error_info"] == ["HANDLE_INVALID", "secret", "OpaqueRef:none"]


def test_client_made_task(host: Host, session: str) -> None:
    task = host.call("task.create", session, "label", "text")
    host.call("task.set_progress", session, task, 0.5)
    host.call("task.destroy", session, task)  # not completed: it goes when it ends
    assert host.call("task.get_current_operations", session, task) == {"task": "destroy"}
    host.call("task.set_status", session, task, "success")
    host.call("task.destroy", session, task)
    assert task not in host.call("task.get_all", session)


def test_cancelling(host: Host, session: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def waiting(ctx: Any, *arguments: Any) -> None:
        ctx.set_cancellable()
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline:
            ctx.raise_if_cancelled()
            time.sleep(0.01)

    monkeypatch.setitem(registry.calls, "secret.destroy", waiting)
    host.stop()
    host.start()
    session = host.login()
    task = host.call("Async.secret.destroy", session, "OpaqueRef:any")
    host.call("task.cancel", session, task)
    record = finished(host, session, task)
    assert (record["status"], record["error_info"]) == ("cancelled", ["TASK_CANCELLED", task])


def test_a_sync_call_has_a_task_only_while_it_runs(host: Host, session: str) -> None:
    before = host.call("task.get_all", session)
    token = host.call("event.inject", session, "pool", host.call("pool.get_all", session)[0])
    host.call("secret.create", session, {"value": "x", "other_config": {}})
    assert host.call("task.get_all", session) == before
    assert host.call("event.from", session, ["task"], token, 0.0)["events"] == []
