"""Kills the storage driver around its n-th change; put into a simulated host by test_killed.

Loaded by every Python of the host at its start (a .pth file), it does nothing unless /run/killat.json exists and
the program is CephSR. The product knows nothing of it.
"""

import json
import os
import signal

CONTROL = "/run/killat.json"
COUNTER = "/run/killat.count"
POOL_CHANGES = (
    "create_object",
    "write_keys",
    "remove_object",
    "create_image",
    "resize_image",
    "create_snapshot",
    "remove_snapshot",
    "clone_image",
    "trash_image",
    "purge",
)
XAPI_CHANGES = ("VDI.db_introduce", "VDI.db_forget")


class Trigger:
    """Counts changes over one process, and ends it around the chosen one."""

    def __init__(self, step, after):
        self.step = step
        self.after = after
        self.count = 0

    def call(self, function, *args, **kwargs):
        self.count += 1
        with open(COUNTER, "w", encoding="ascii") as stream:
            stream.write(str(self.count))
        if self.count == self.step and not self.after:
            os.kill(os.getpid(), signal.SIGKILL)
        result = function(*args, **kwargs)
        if self.count == self.step:
            os.kill(os.getpid(), signal.SIGKILL)
        return result


def arm(trigger):
    """Put the trigger between the driver and what it changes."""
    from XenAPI import XenAPI

    from cephhci.ceph.pool import RadosPool

    for name in POOL_CHANGES:
        setattr(RadosPool, name, _wrapped(getattr(RadosPool, name), trigger))
    inner = XenAPI.Session.xenapi_request

    def request(self, method, params):
        if method in XAPI_CHANGES:
            return trigger.call(inner, self, method, params)
        return inner(self, method, params)

    XenAPI.Session.xenapi_request = request


def _wrapped(function, trigger):
    return lambda *args, **kwargs: trigger.call(function, *args, **kwargs)


def start():
    """Arm, if a test asked for it and this is the command it meant."""
    try:
        with open(CONTROL, encoding="ascii") as stream:
            asked = json.load(stream)
    except (FileNotFoundError, PermissionError):
        return
    with open("/proc/self/cmdline", "rb") as stream:
        line = stream.read().decode("utf-8", "replace")
    if "CephSR" in line and "<methodName>%s</methodName>" % asked["command"] in line:
        arm(Trigger(asked["step"], asked["after"]))


start()
