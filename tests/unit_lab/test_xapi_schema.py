"""The datamodel against the recording of a running xapi: every field and type of every class."""

import json
from typing import Any

import pytest
from xapi_pool import Host

from lab.xapi import generic
from lab.xapi.schema import RECORDINGS, schema
from lab.xapi.values import Date, converter

RECORDS: dict[str, dict[str, Any]] = json.loads((RECORDINGS / "records.json").read_text(encoding="utf-8"))
REMOVED = ("VMPP", "VBD_metrics", "VIF_metrics")  # get_all_records answered MESSAGE_REMOVED
SEEN = [(cls, ref) for cls, records in RECORDS.items() if cls not in REMOVED for ref in records]
KINDS = {"string": str, "int": int, "bool": bool, "float": float, "datetime": str}


def kind(type_name: str) -> type:
    """The JSON type of an API type."""
    if type_name.endswith(" map"):
        return dict
    if type_name.endswith(" set"):
        return list
    return KINDS.get(type_name, str)


@pytest.mark.parametrize(("cls", "ref"), SEEN)
def test_recorded_record(cls: str, ref: str) -> None:
    fields = {name: field for name, field in schema().classes[cls].fields.items() if field.kind != "internal"}
    record = RECORDS[cls][ref]
    assert sorted(fields) == sorted(record)
    for name, value in record.items():
        assert type(value) is kind(fields[name].type), name
        assert converter(fields[name].type)(value) == value, name


@pytest.mark.parametrize("cls", sorted(set(RECORDS) - set(REMOVED)))
def test_made_record_has_the_fields_and_types(cls: str, host: Host, session: str) -> None:
    ref = host.master.db.create(cls)
    served = host.call("%s.get_record" % cls, session, ref)
    expected = {name: f for name, f in schema().classes[cls].fields.items() if f.kind != "internal"}
    assert sorted(served) == sorted(expected)
    for name, value in served.items():
        assert type(value) is kind(expected[name].type), name
    host.master.db.delete(cls, ref)


@pytest.mark.parametrize("cls", REMOVED)
def test_removed_class(cls: str, host: Host, session: str) -> None:
    assert host.raw("%s.get_all_records" % cls, [session])["error"] == RECORDS[cls]["error"]


def test_listed_methods_are_the_recorded_ones(host: Host) -> None:
    names = (RECORDINGS / "methods.txt").read_text(encoding="utf-8").split()
    assert host.call("system.listMethods") == names


def test_every_field_has_the_getter_that_xapi_lists() -> None:
    made = dict(generic.handlers(schema()))
    getters = [
        name
        for name, method in schema().methods.items()
        if method.verb.startswith("get_") and method.verb[4:] in schema().classes[method.cls].fields
    ]
    assert len(getters) > 800
    assert not [name for name in getters if name not in made]


def test_dates_are_dates() -> None:
    assert isinstance(converter("datetime")("20261122T08:09:10Z"), Date)


def test_what_xen_orchestra_cannot_do_without(host: Host, session: str) -> None:
    (pool,) = host.call("pool.get_all_records", session).values()
    (record,) = host.call("host.get_all_records", session).values()
    assert pool["master"] in host.call("host.get_all", session)
    assert pool["restrictions"] and pool["cpu_info"] and pool["other_config"]
    assert record["software_version"]["product_brand"] == "XCP-ng"
    assert record["software_version"]["product_version"] == "8.3.0"
    assert record["software_version"]["platform_version"]
    assert {"boot_time", "agent_start_time"} <= set(record["other_config"])
    assert record["license_params"] and record["chipset_info"] and record["capabilities"]
    assert record["cpu_info"]["cpu_count"] and record["resident_VMs"] and record["PIFs"]
    metrics = host.call("host_metrics.get_record", session, record["metrics"])
    assert metrics["live"] and metrics["memory_total"] > metrics["memory_free"] > 0
    domain = host.call("VM.get_record", session, record["control_domain"])
    assert domain["is_control_domain"] and domain["resident_on"] == pool["master"] and domain["consoles"]


def test_the_records_of_a_fresh_host_have_what_a_real_one_has(host: Host, session: str) -> None:
    """Map fields that a host, pool or control domain fills in have at least the keys that clients read."""
    recorded = next(iter(RECORDS["host"].values()))
    (made,) = host.call("host.get_all_records", session).values()
    assert set(recorded["software_version"]) - set(made["software_version"]) == set()
    assert set(recorded["cpu_info"]) - set(made["cpu_info"]) == set()
    assert set(recorded["license_params"]) - set(made["license_params"]) == set()
    assert set(recorded["bios_strings"]) - set(made["bios_strings"]) == set()
    pool = next(iter(host.call("pool.get_all_records", session).values()))
    real = next(iter(RECORDS["pool"].values()))
    assert set(real["restrictions"]) - set(pool["restrictions"]) == set()
    assert real["allowed_operations"] == pool["allowed_operations"]
