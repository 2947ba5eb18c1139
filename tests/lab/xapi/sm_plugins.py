"""The drivers of one host: those that the configuration admits, asked what they are."""

import logging
import os
import threading
from collections.abc import Iterable
from typing import Any

from lab.xapi import sm_exec
from lab.xapi.failure import Failure
from lab.xapi.paths import PATHS
from lab.xapi.registry import local
from lab.xapi.values import NULL

LOG = logging.getLogger("xapi")
EVERYTHING = "*"
SUFFIX = "SR"
# What xapi admits when no file says anything.
DEFAULT = "ext nfs iscsi lvmoiscsi dummy file hba rawhba udev iso lvm lvmohba lvmofcoe shm smb"

_found: dict[str, dict[str, Any]] = {}
_registering = threading.Lock()


def admitted(texts: Iterable[str]) -> list[str]:
    """The effective ``sm-plugins`` list of these files, in the order they are read: the last line wins."""
    names = DEFAULT
    for text in texts:
        for line in text.splitlines():
            key, equals, value = line.partition("=")
            if equals and key.strip() == "sm-plugins":
                names = value
    return names.lower().split()


def configuration_files() -> list[str]:
    """xapi.conf, then every fragment in byte order, whatever its name ends with."""
    fragments = []
    if os.path.isdir(PATHS.fragments):
        fragments = [os.path.join(PATHS.fragments, name) for name in sorted(os.listdir(PATHS.fragments))]
    return [path for path in [PATHS.configuration, *fragments] if os.path.isfile(path)]


def _text(path: str) -> str:
    with open(path, encoding="utf-8") as source:
        return source.read()


def candidates(names: list[str]) -> list[str]:
    """Entries of the driver folder that are named like a driver, executable and admitted."""
    if not os.path.isdir(PATHS.drivers):
        return []
    return [
        entry
        for entry in sorted(os.listdir(PATHS.drivers))
        if entry.endswith(SUFFIX)
        and (EVERYTHING in names or entry[: -len(SUFFIX)].lower() in names)
        and os.access(os.path.join(PATHS.drivers, entry), os.X_OK)
    ]


@local("sm_register")
def register() -> dict[str, dict[str, Any]]:
    """Ask every driver of this host what it is; types with what they answered. A bad one is left out."""
    global _found
    with _registering:
        found = {}
        for entry in candidates(admitted(_text(path) for path in configuration_files())):
            path = os.path.join(PATHS.drivers, entry)
            try:
                info = sm_exec.execute(path, "sr_get_driver_info", {"host_ref": NULL})
            except Failure as failure:
                LOG.error("Rejecting SM plugin: %s because of exception: %s", entry, failure.description)
                continue
            found[entry[: -len(SUFFIX)].lower()] = {**info, "driver_filename": path}
        _found = found
        return found


@local("sm_types")
def types() -> list[str]:
    """The types that this host has registered; a host that is still at it is waited for."""
    with _registering:
        return sorted(_found)
