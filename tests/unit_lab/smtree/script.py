"""The driver calls that are compared between SM trees; each step says what is prepared before it, see host.py."""

import xmlrpc.client
from typing import Any

PROBE = "/opt/xensource/sm/ProbeSR"
DISK, OTHER, THIRD = "v1", "v2", "v3"
THIS = "host_OpaqueRef:00000000-0000-0000-0000-00000000000a"
GONE = "host_OpaqueRef:gone"
CREATE = ["12345", "a label", "a description", "", "false", "19700101T00:00:00Z", "", "false"]
USER = {"vdi_type": "user", "vdi_sm_config": {}}
EXCLUSIVE = ["sr_create", "sr_attach", "sr_scan", "vdi_create", "vdi_delete"]
Step = dict[str, Any]


def created(**args: str) -> list[str]:
    names = {"size": 0, "label": 1, "description": 2}
    values = list(CREATE)
    for name, value in args.items():
        values[names[name]] = value
    return values


def disk(name: str = DISK, **fields: Any) -> Step:
    return {name: fields}


def fails(call: str, what: str, how: str, **more: Any) -> Step:
    return {"call": call, "orders": {what: how}, **more}


def opens(mode: str = "true", name: str = DISK, **more: Any) -> Step:
    return {"call": "vdi_activate", "vdi": name, "args": [mode], **more}


def attaches(vdi_type: str) -> Step:
    orders = {"vdi_type": vdi_type}
    return {"fresh": True, "call": "vdi_attach", "vdi": DISK, "args": ["true"], "rows": disk(), "orders": orders}


def closes(name: str = DISK, **more: Any) -> Step:
    return {"call": "vdi_deactivate", "vdi": name, **more}


INFO = xmlrpc.client.dumps(
    ({"command": "sr_get_driver_info", "args": [], "host_ref": "OpaqueRef:NULL", "device_config": {}},),
    "sr_get_driver_info",
)

SCRIPT: dict[str, Step] = {
    "info": {"argv": [PROBE, INFO]},
    "no argument": {"argv": [PROBE]},
    "two arguments": {"argv": [PROBE, "a", "b"]},
    "no XML": {"argv": [PROBE, "nonsense"]},
    "unknown command": {"call": "sr_fly"},
    "sr_create": {"call": "sr_create", "args": ["0"]},
    "sr_create locked": {"call": "sr_create", "args": ["7"], "orders": {"ops_exclusive": EXCLUSIVE}},
    "sr_create refused": fails("sr_create", "sr.create", "SRExists", args=["0"]),
    "password is masked": {"call": "sr_detach", "orders": {}, "device_config": {"password": "p", "place": "q"}},
    "sr_probe": {"call": "sr_probe", "without": ["sr_uuid", "sr_ref"], "params": {"sr_sm_config": {}}},
    "sr_probe incomplete": {"call": "sr_probe", "params": {"device_config": {}}},
    "sr_attach on a member": {"fresh": True, "call": "sr_attach", "device_config": {"SRmaster": "false"},
                              "rows": disk(sm_config={THIS: "RW", "paused": "true", GONE: "RO"})},
    "sr_attach on the master": {"call": "sr_attach", "orders": {"ops_exclusive": EXCLUSIVE},
                                "disks": {DISK: {}}, "rows": disk(sm_config={THIS: "RW", "paused": "true"})},
    "sr_attach refused": fails("sr_attach", "sr.attach", "SRUnavailable"),
    "scan after sr_attach refused": fails("sr_attach", "sr.scan", "SRScan"),
    "sr_detach": {"call": "sr_detach", "orders": {}},
    "sr_update": {"call": "sr_update"},
    "sr_content_type": {"call": "sr_content_type"},
    "scan introduces": {"fresh": True, "call": "sr_scan", "rows": disk(), "disks": {
        DISK: {}, OTHER: {"size": 5, "label": "l", "cbt_enabled": True}}},
    "scan in sync": {"call": "sr_scan"},
    "scan writes sm_config": {"call": "sr_scan", "disks": {
        DISK: {"size": 8, "used": 3, "sm_config": {"mine": "1"}}, OTHER: {"size": 5, "cbt_enabled": True}},
        "rows": disk(sm_config={THIS: "RW", "activating": "True", "relinking": "1", "vhd-blocks": "b",
                                "key_hash": "k", "foreign": "f", "mine": "0"})},
    "scan overrides sm_config": {"call": "sr_scan", "disks": {
        DISK: {"size": 8, "sm_config_override": {"image-format": None, "new": "x", "mine": None, "no": None}}}},
    "scan forgets": {"call": "sr_scan", "disks": {DISK: {}}},
    "scan refused": fails("sr_scan", "sr.scan", "SRUnavailable"),
    "scan raises SMException": fails("sr_scan", "sr.scan", "SMException"),
    "scan raises CommandException": fails("sr_scan", "sr.scan", "CommandException"),
    "scan raises a failure of XAPI": fails("sr_scan", "sr.scan", "Failure"),
    "scan raises another exception": fails("sr_scan", "sr.scan", "bare"),
    "update raises SMException": fails("sr_update", "sr.update", "SMException"),
    "error key is unknown": fails("sr_update", "sr.update", "NoSuchKey"),
    "cleanup raises": fails("sr_update", "sr.cleanup", "SRBadXML", fresh=True),
    "load raises": fails("sr_update", "sr.load", "ConfigParamsMissing"),
    "disk load raises": fails("vdi_update", "vdi.load", "VDILoad", vdi=DISK),
    "vdi_create": {"fresh": True, "call": "vdi_create", "args": CREATE, "params": USER,
                   "orders": {"ops_exclusive": EXCLUSIVE}},
    "vdi_create with vdi_init": {"call": "vdi_create", "args": created(label="M\u00fcller"), "params": USER,
                                 "orders": {"ops_exclusive": ["vdi_init"]}},
    "vdi_create for a mirror": {"call": "vdi_create", "args": CREATE, "orders": {}, "params": {
        "vdi_type": "user", "vdi_sm_config": {"base_mirror": "m", "key_hash": "h", "other": "o"}}},
    "vdi_create with a control character": {"call": "vdi_create", "args": created(label="a\x7fb"), "params": USER},
    "vdi_create with a non-character": {"call": "vdi_create", "args": created(description="\ufdd0"), "params": USER},
    "vdi_create with a bad size": {"call": "vdi_create", "args": created(size="much"), "params": USER},
    "vdi_create refused": fails("vdi_create", "vdi.create", "SRNoSpace", args=CREATE, params=USER),
    "vdi_create raises SMException": fails("vdi_create", "vdi.create", "SMException", args=CREATE, params=USER),
    "vdi_create raises a failure of XAPI": fails("vdi_create", "vdi.create", "Failure", args=CREATE, params=USER),
    "vdi_introduce": {"call": "vdi_introduce", "orders": {}, "params": {
        "new_uuid": THIRD, "vdi_location": "place", "vdi_sm_config": {}}},
    "vdi_update": {"fresh": True, "call": "vdi_update", "vdi": DISK, "rows": {DISK: {"name_label": "new"}, THIRD: {}}},
    "vdi_update with a control character": {"call": "vdi_update", "vdi": DISK, "rows": disk(name_label="\x80")},
    "vdi_update of an unknown disk": {"call": "vdi_update", "vdi": "nowhere"},
    "vdi_resize": {"call": "vdi_resize", "vdi": DISK, "args": ["4096"]},
    "vdi_resize raises SMException": fails("vdi_resize", "vdi.resize", "SMException", vdi=DISK, args=["4096"]),
    "vdi_clone unimplemented": {"call": "vdi_clone", "vdi": DISK, "orders": {}, "params": {"driver_params": {}}},
    "vdi_compose": {"call": "vdi_compose", "vdi": DISK, "args": ["OpaqueRef:" + THIRD]},
    "vdi_epoch_begin": {"call": "vdi_epoch_begin", "vdi": DISK},
    "vdi_epoch_begin with reset": {"call": "vdi_epoch_begin", "vdi": DISK, "params": {"vdi_on_boot": "reset"}},
    "vdi_epoch_end": {"call": "vdi_epoch_end", "vdi": DISK},
    "vdi_generate_config gives no text": {"call": "vdi_generate_config", "vdi": DISK},
    "vdi_attach_from_config": {"call": "vdi_attach_from_config", "vdi": DISK,
                               "without": ["session_ref", "sr_ref", "vdi_ref", "subtask_of"]},
    "vdi_detach_from_config": {"call": "vdi_detach_from_config", "vdi": DISK,
                               "without": ["session_ref", "sr_ref", "vdi_ref", "subtask_of"]},
    "vdi_enable_cbt": {"fresh": True, "call": "vdi_enable_cbt", "vdi": DISK, "rows": {DISK: {}, THIRD: {}}},
    "vdi_data_destroy of no snapshot": {"call": "vdi_data_destroy", "vdi": DISK},
    "vdi_data_destroy": {"call": "vdi_data_destroy", "vdi": DISK, "rows": disk(is_a_snapshot=True)},
    "changed blocks with itself": {"call": "vdi_list_changed_blocks", "vdi": THIRD, "args": ["OpaqueRef:" + THIRD]},
    "changed blocks unrelated": {"call": "vdi_list_changed_blocks", "vdi": THIRD, "args": ["OpaqueRef:" + OTHER],
                                 "rows": disk(OTHER)},
    "vdi_delete": {"call": "vdi_delete", "vdi": OTHER},
    "vdi_delete where CBT is registered": {"call": "vdi_delete", "vdi": OTHER, "rows": disk(OTHER),
                                           "capabilities": ["VDI_CONFIG_CBT"]},
    "vdi_delete refused": fails("vdi_delete", "vdi.delete", "VDIInUse", vdi=THIRD, capabilities=[]),
    # --- data path
    "vdi_attach": {"fresh": True, "call": "vdi_attach", "vdi": DISK, "args": ["true"], "orders": {}, "rows": disk()},
    "vdi_attach in a memory pool": {"call": "vdi_attach", "vdi": DISK, "args": ["false"], "rows": disk(
        other_config={"mem-pool": "p", "mem-pool-size-rings": "2"})},
    "vdi_activate": opens(fresh=True, rows=disk()),
    "vdi_activate again": opens(),
    "snapshot pauses": {"call": "vdi_snapshot", "vdi": DISK, "params": {"driver_params": {}}},
    "snapshot hands the mirror over": {"call": "vdi_snapshot", "vdi": DISK, "params": {
        "driver_params": {"mirror": "nbd:x", "base_mirror": "m"}}},
    "snapshot of the base class": {"call": "vdi_snapshot", "vdi": DISK, "params": {"driver_params": {}},
                                   "orders": {"snapshot": "base"}},
    "pause fails": {"call": "vdi_snapshot", "vdi": DISK, "params": {"driver_params": {}},
                    "orders": {"tap-ctl pause": "22"}},
    "vdi_deactivate": closes(orders={}),
    "vdi_deactivate again": closes(),
    "vdi_detach": {"call": "vdi_detach", "vdi": DISK},
    "activate read-only": opens("false", fresh=True, rows=disk()),
    "driver's deactivate fails": fails("vdi_deactivate", "vdi.deactivate", "SMException", vdi=DISK),
    "deactivate after that": closes(orders={}),
    "driver's attach fails": fails("vdi_activate", "vdi.attach", "VDIUnavailable", vdi=DISK, args=["true"],
                                   rows=disk(), fresh=True),
    "driver's activate fails": fails("vdi_activate", "vdi.activate", "SMException", vdi=DISK, args=["true"]),
    "tapdisk does not open": opens(orders={"tap-ctl open": "22"}),
    "tapdisk does not attach": opens(orders={"tap-ctl attach": "16"}),
    "clean up": closes(orders={}),
    "tag of a host that is gone": opens(fresh=True, rows=disk(sm_config={GONE: "RW"})),
    "close": closes(),
    "tag of a living host": opens(fresh=True, rows=disk(sm_config={THIS: "RW"})),
    "second reader": opens("false", OTHER, fresh=True, rows=disk(OTHER, sm_config={GONE: "RO"})),
    "second reader leaves": closes(OTHER),
    "paused for a while": opens(fresh=True, later=[2, DISK, "paused"], rows=disk(sm_config={"paused": "true"})),
    "paused for a while at the end": closes(
        later=[2, DISK, "paused"], rows=disk(sm_config={"paused": "true", THIS: "RW"})),
    "reader waits for another's activation": opens(
        "false", fresh=True, later=[2, DISK, "activating"], rows=disk(sm_config={"activating": "True"})),
    "close again": closes(),
    "writer finds activating": opens(fresh=True, rows=disk(sm_config={"activating": "True"})),
    "raw is no type": opens(fresh=True, orders={"vdi_type": "raw"}, rows=disk()),
    "phy is no type": opens(fresh=True, rows=disk(), orders={"vdi_type": "phy"}),
    "file is no type": opens(fresh=True, rows=disk(), orders={"vdi_type": "file"}),
    "nonsense is no type": attaches("rbd"),
    "no type at all": attaches(""),
    "driver without suffix": opens(fresh=True, orders={}, rows=disk(), driver="/opt/xensource/sm/BareSR"),
}
