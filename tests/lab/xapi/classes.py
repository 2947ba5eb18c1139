"""Which class modules there are; importing one registers its calls."""

import importlib

MODULES = (
    "sessions",
    "tasks",
    "events",
    "execution",
    "joining",
    "operations",
    "storage_rules",
    "vbd_rules",
    "vm_rules",
    "secret",
    "message",
    "sm",
    "attachments",
    "datapath",
    "sr",
    "pbd",
    "autoscan",
    "vdi",
    "vdi_records",
    "vdi_changes",
    "vbd",
    "vm",
    "vm_power",
    "host",
)


def load() -> None:
    """Import every class module."""
    for name in MODULES:
        importlib.import_module("lab.xapi.%s" % name)
