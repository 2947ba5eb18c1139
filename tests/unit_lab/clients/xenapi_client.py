"""Xen-API's Python client against a pool: ``xenapi_client.py URL-OR-SOCKET USER PASSWORD``.

Prints one JSON object of what it saw; used by tests on loopback and inside the lab.
"""

import json
import sys
from typing import Any

import XenAPI
from XenAPI.XenAPI import UDSTransport


def connected(target: str) -> Any:
    """A session with a URL, or with the unix socket at a path."""
    if target.startswith("/"):
        # The client takes the path from the "host name", in which underscores stand for slashes.
        return XenAPI.Session("http://%s" % target.replace("/", "_"), transport=UDSTransport())
    return XenAPI.Session(target)


def error_of(call: Any, *arguments: Any) -> list[str]:
    """The details of the failure that a call ends in."""
    try:
        call(*arguments)
    except XenAPI.Failure as failure:
        return [str(detail) for detail in failure.details]
    return []


def story(target: str, user: str, password: str) -> dict[str, Any]:
    """Log in, read, write, wait for an event, fail, log out."""
    session = connected(target)
    session.login_with_password(user, password, "2.21", "test client")
    api = session.xenapi
    pool = api.pool.get_all()[0]
    batch = api.event_from(["pool"], "", 10.0)
    api.pool.set_name_description(pool, 'text with <tags>, "quotes" & ümlauts')
    later = api.event_from(["pool"], batch["token"], 10.0)
    host = api.pool.get_master(pool)
    seen = {
        "hosts": len(api.host.get_all_records()),
        "version": api.host.get_software_version(host)["product_version"],
        "description": later["events"][0]["snapshot"]["name_description"],
        "operations": [event["operation"] for event in later["events"]],
        "counted": later["valid_ref_counts"]["pool"],
        "memory": api.host_metrics.get_memory_total(api.host.get_metrics(host)),
        "live": api.host_metrics.get_live(api.host.get_metrics(host)),
        "updated": str(api.host_metrics.get_last_updated(api.host.get_metrics(host))),
        "shadow": api.VM.get_HVM_shadow_multiplier(api.VM.get_all()[0]),
        "invalid": error_of(api.VM.get_record, "OpaqueRef:none"),
        "this_host": api.host.get_uuid(api.session.get_this_host(session.handle)),
    }
    session.logout()
    return seen


if __name__ == "__main__":
    print(json.dumps(story(*sys.argv[1:4])))
