"""Which class modules there are; importing one registers its calls."""

import importlib

MODULES = (
    "sessions",
    "tasks",
    "events",
    "execution",
    "joining",
)


def load() -> None:
    """Import every class module."""
    for name in MODULES:
        importlib.import_module("lab.xapi.%s" % name)
