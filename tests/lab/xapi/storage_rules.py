"""What forbids an operation on a repository or a disk."""

from typing import Any

from lab.xapi import features
from lab.xapi.database import Database
from lab.xapi.failure import Failure
from lab.xapi.operations import busy, rules

SR_FEATURES = {
    "vdi_create": "VDI_CREATE",
    "vdi_destroy": "VDI_DELETE",
    "vdi_resize": "VDI_RESIZE",
    "vdi_introduce": "VDI_INTRODUCE",
    "vdi_mirror": "VDI_MIRROR",
    "vdi_enable_cbt": "VDI_CONFIG_CBT",
    "vdi_disable_cbt": "VDI_CONFIG_CBT",
    "vdi_data_destroy": "VDI_CONFIG_CBT",
    "vdi_list_changed_blocks": "VDI_CONFIG_CBT",
    "vdi_set_on_boot": "VDI_RESET_ON_BOOT",
    "update": "SR_UPDATE",
    "vdi_snapshot": "VDI_SNAPSHOT",
}
VDI_FEATURES = {
    "snapshot": "VDI_SNAPSHOT",
    "destroy": "VDI_DELETE",
    "resize": "VDI_RESIZE",
    "update": "VDI_UPDATE",
    "resize_online": "VDI_RESIZE_ONLINE",
    "generate_config": "VDI_GENERATE_CONFIG",
    "clone": "VDI_CLONE",
    "mirror": "VDI_MIRROR",
    "enable_cbt": "VDI_CONFIG_CBT",
    "disable_cbt": "VDI_CONFIG_CBT",
    "data_destroy": "VDI_CONFIG_CBT",
    "list_changed_blocks": "VDI_CONFIG_CBT",
    "set_on_boot": "VDI_RESET_ON_BOOT",
}
LIVE = ("snapshot", "resize_online", "clone", "mirror", "enable_cbt", "disable_cbt", "data_destroy")
NOT_WITH_CBT = ("mirror", "set_on_boot")
NOT_ON_METADATA = "clone copy disable_cbt enable_cbt mirror resize resize_online snapshot set_on_boot".split()
HA_TYPES = ("ha_statefile", "redo_log")


@rules(
    "SR",
    """scan destroy forget plug unplug vdi_create vdi_destroy vdi_resize vdi_clone vdi_snapshot vdi_mirror
    vdi_enable_cbt vdi_disable_cbt vdi_data_destroy vdi_list_changed_blocks vdi_set_on_boot vdi_introduce update
    pbd_create pbd_destroy""",
)
def sr_forbidden(db: Database, sr: str, operation: str) -> Failure | None:
    """Only plugging may go on beside plugging; everything else on a repository is one at a time."""
    record = db.get("SR", sr)
    feature = SR_FEATURES.get(operation)
    if feature is not None and feature not in features.of_type(db, record["type"]):
        return Failure("SR_OPERATION_NOT_SUPPORTED", sr)
    if operation in ("destroy", "forget") and db.where("PBD", SR=sr, currently_attached=True):
        return Failure("SR_HAS_PBD", sr)
    if operation == "destroy":
        if not record["PBDs"]:
            return Failure("SR_NO_PBDS", sr)
        if any(vdi["type"] != "rrd" for vdi in db.where("VDI", SR=sr, managed=True).values()):
            return Failure("SR_NOT_EMPTY")
    current = {key: op for key, op in record["current_operations"].items() if op != "plug"}
    if current:
        return busy("SR", sr, current)
    if record["current_operations"] and operation != "plug":
        return busy("SR", sr, record["current_operations"])
    return None


@rules("VDI", "copy generate_config clone mirror resize_online forget update resize snapshot destroy")
def vdi_forbidden(db: Database, vdi: str, operation: str) -> Failure | None:
    """Any other operation, and use by a VM unless the operation works on a disk in use."""
    record = db.get("VDI", vdi)
    sr = record["SR"]
    others = {key: op for key, op in record["current_operations"].items() if op != "copy"}
    if others and not (operation == "destroy" and "mirror" in others.values()):
        return busy("VDI", vdi, others)
    if operation == "resize" and not db.where("PBD", SR=sr, currently_attached=True):
        return Failure("SR_NO_PBDS", sr)
    return (
        _in_use(db, vdi, operation) or _unsupported(db, record, operation) or _by_kind(vdi, record, operation) or None
    )


def _in_use(db: Database, vdi: str, operation: str) -> Failure | None:
    vbds = list(db.where("VBD", VDI=vdi).values())
    active = [vbd for vbd in vbds if vbd["currently_attached"]]
    if operation == "list_changed_blocks" and all(db.field("VM", v["VM"], "is_a_snapshot") for v in active):
        active = []
    if operation == "copy":
        active = [vbd for vbd in active if vbd["mode"] == "RW"]
    if active and operation not in LIVE:
        return Failure("VDI_IN_USE", vdi, operation)
    changing = [vbd for vbd in vbds if vbd["current_operations"]]
    if changing and operation != "data_destroy":
        return busy("VDI", vdi, changing[0]["current_operations"])
    return None


def _unsupported(db: Database, record: dict[str, Any], operation: str) -> Failure | None:
    feature = VDI_FEATURES.get(operation)
    if feature is not None and feature not in features.of_sr(db, record["SR"]):
        return Failure("SR_OPERATION_NOT_SUPPORTED", record["SR"])
    return None


def _by_kind(vdi: str, record: dict[str, Any], operation: str) -> Failure | None:
    """What the disk's type and state forbid."""
    if record["type"] == "cbt_metadata" and operation in NOT_ON_METADATA:
        return Failure("VDI_INCOMPATIBLE_TYPE", vdi, "CBT metadata")
    if record["cbt_enabled"] and operation in NOT_WITH_CBT:
        return Failure("VDI_CBT_ENABLED", vdi)
    if record["type"] == "rrd" and operation in ("forget", "destroy", "data_destroy"):
        return Failure("VDI_HAS_RRDS", vdi)
    if operation == "data_destroy":
        return _data_not_destroyable(vdi, record)
    if operation == "snapshot" and record["sharable"]:
        return Failure("VDI_IS_SHARABLE", vdi)
    if operation in ("snapshot", "copy") and record["on_boot"] == "reset":
        return Failure("VDI_ON_BOOT_MODE_INCOMPATIBLE_WITH_OPERATION")
    if operation == "snapshot" and "copy" in record["current_operations"].values():
        return Failure("OPERATION_NOT_ALLOWED", "Snapshot operation not allowed during copy.")
    if operation == "copy" and record["type"] in HA_TYPES:
        text = "VDI containing HA statefile or redo log cannot be copied (check the VDI's allowed operations)."
        return Failure("OPERATION_NOT_ALLOWED", text)
    if operation in ("enable_cbt", "disable_cbt"):
        return _not_trackable(vdi, record)
    return None


def _data_not_destroyable(vdi: str, record: dict[str, Any]) -> Failure | None:
    if not record["is_a_snapshot"]:
        return Failure("OPERATION_NOT_ALLOWED", f"VDI is not a snapshot: {vdi}")
    if not record["cbt_enabled"]:
        return Failure("VDI_NO_CBT_METADATA", vdi)
    return None


def _not_trackable(vdi: str, record: dict[str, Any]) -> Failure | None:
    if record["is_a_snapshot"]:
        return Failure("OPERATION_NOT_ALLOWED", f"VDI is a snapshot: {vdi}")
    if record["type"] not in ("user", "system"):
        return Failure("VDI_INCOMPATIBLE_TYPE", vdi, record["type"])
    if record["on_boot"] == "reset":
        return Failure("VDI_ON_BOOT_MODE_INCOMPATIBLE_WITH_OPERATION")
    return None
