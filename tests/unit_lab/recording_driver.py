"""A storage driver that writes down every call and answers as told: for tests of who calls it, when and how.

It introduces disks through the API as a real one does, by the session that it is given.
"""

DRIVER = """#!/usr/bin/python3
import json, os, sys, uuid, xmlrpc.client
sys.path[:0] = {path!r}
import XenAPI

HERE = os.path.dirname(os.path.abspath(__file__))
INFO = {{
    "name": "Recorder", "description": "writes down what xapi does", "vendor": "none", "copyright": "none",
    "driver_version": "1.0", "required_api_version": "1.1", "capabilities": {capabilities!r},
    "configuration": [{{"key": "pool", "description": "a pool"}}],
}}
(params,), command = xmlrpc.client.loads(sys.argv[1])


def answer(value):
    print(xmlrpc.client.dumps((value,), methodresponse=True, allow_none=True))


def api():
    path = open(os.path.join(HERE, "socket")).read()
    session = XenAPI.Session("http://" + path.replace("/", "_"), transport=XenAPI.UDSTransport())
    session._session = params["session_ref"]
    return session.xenapi


def introduce(number, size, label="", of="OpaqueRef:NULL", snapshot=False):
    path = os.path.join(HERE, "disk-" + number)
    open(path, "ab").close()
    os.truncate(path, int(size))
    api().VDI.db_introduce(
        number, label, "", params["sr_ref"], "user", False, False, {{}}, number, {{}}, {{"recorded": "1"}},
        True, str(size), "0", "OpaqueRef:NULL", snapshot, xmlrpc.client.DateTime("19700101T00:00:00Z"), of, False)
    return {{"uuid": number, "location": number}}


def sizes():
    api().SR.set_physical_size(params["sr_ref"], "107374182400")
    api().SR.set_physical_utilisation(params["sr_ref"], "5368709120")


def run():
    if command == "sr_get_driver_info":
        return INFO
    if command == "sr_probe":
        return "<SRlist/>"
    if command in ("sr_update", "sr_scan"):
        sizes()
    if command == "vdi_create":
        return introduce(str(uuid.uuid4()), params["args"][0], params["args"][1])
    if command == "vdi_introduce":
        return introduce(params["new_uuid"], 4096)
    if command in ("vdi_snapshot", "vdi_clone"):
        size = api().VDI.get_virtual_size(params["vdi_ref"])
        snapshot = command == "vdi_snapshot"
        of = params["vdi_ref"] if snapshot else "OpaqueRef:NULL"
        return introduce(str(uuid.uuid4()), size, "driver", of, snapshot)
    if command == "vdi_resize":
        api().VDI.set_virtual_size(params["vdi_ref"], params["args"][0])
        return {{"uuid": params["vdi_uuid"], "location": params["vdi_location"]}}
    if command == "vdi_delete":
        api().VDI.db_forget(params["vdi_ref"])
        return None
    if command == "vdi_attach":
        path = os.path.join(HERE, "disk-" + params["vdi_uuid"])
        return {{"params": path, "params_nbd": "", "o_direct": True, "o_direct_reason": "SR_NOT_SUPPORTED",
                 "xenstore_data": {{}}}}
    return None


with open(os.path.join(HERE, "calls"), "a") as log:
    log.write(json.dumps({{"command": command, "params": params, "argv": sys.argv[1]}}) + chr(10))
faults = json.load(open(os.path.join(HERE, "faults")))
if command in faults:
    print(xmlrpc.client.dumps(xmlrpc.client.Fault(faults[command], "told to fail"), methodresponse=True))
else:
    answer(run())
"""


def text(path: str, capabilities: list[str]) -> str:
    """The program; ``path`` is a folder that has XenAPI."""
    return DRIVER.format(path=[path], capabilities=capabilities)
