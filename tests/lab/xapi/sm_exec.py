"""One execution of a storage driver: its argument, what its reply must be, and the errors made of it."""

import xml.etree.ElementTree as ElementTree
from collections.abc import Callable, Mapping
from typing import Any, Optional

from lab.xapi import process, xmlrpc_text
from lab.xapi.failure import Failure
from lab.xapi.xmlrpc_text import Node, TypeMismatch, Value

ENVIRONMENT = {**process.PATH_ONLY, "ORIGINATOR": "SM"}

# The order in which xapi writes the members of a call's struct.
MEMBERS = (
    "host_ref",
    "command",
    "args",
    "device_config",
    "session_ref",
    "sr_sm_config",
    "sr_ref",
    "vdi_type",
    "sr_uuid",
    "vdi_ref",
    "vdi_location",
    "vdi_uuid",
    "driver_params",
    "vdi_sm_config",
    "new_uuid",
    "subtask_of",
    "vdi_on_boot",
    "vdi_allow_caching",
    "local_cache_sr",
)

VDI_INFO = ("vdi_create", "vdi_introduce", "vdi_snapshot", "vdi_clone", "vdi_resize")
STRINGS = ("sr_probe", "sr_content_type", "vdi_generate_config", "vdi_list_changed_blocks")
DRIVER_STRINGS = ("name", "description", "vendor", "copyright", "driver_version", "required_api_version")

NOT_IMPLEMENTED = "Storage_error ([S(Internal_error);S(Smint.Not_implemented_in_backend)])"


def argument(call: str, params: Mapping[str, Value]) -> str:
    """The only argument of the driver: ``params`` in xapi's order, with ``command`` added."""
    given: dict[str, Value] = {"args": [], "device_config": {}, **params, "command": call}
    unknown = sorted(set(given) - set(MEMBERS))
    if unknown:
        raise ValueError(f"no such member of a driver call: {', '.join(unknown)}")
    return xmlrpc_text.call_text(call, [{name: given[name] for name in MEMBERS if name in given}])


def execute(driver_path: str, call: str, params: Mapping[str, Value]) -> Any:
    """Run a driver and return its checked reply: None, a string, or a dict of the documented fields.

    Raises Failure with the code and parameters that the API shows for whatever the driver did.
    """
    outcome = process.run([driver_path, argument(call, params)], ENVIRONMENT)
    if outcome.status < 0:
        raise backend_failure(f"received signal: {outcome.signal_name}", outcome.stdout, outcome.stderr)
    if outcome.status:
        raise backend_failure("non-zero exit", outcome.stdout, outcome.stderr)
    try:
        response = xmlrpc_text.parse(outcome.stdout)
    except ElementTree.ParseError as error:
        message = f"XML Error: {str(error).split(':')[0]} line {error.position[0]}"
        raise backend_failure(message, outcome.stdout, outcome.stderr) from error
    try:
        return checked(call, successful(response, params, outcome.stderr))
    except TypeMismatch as error:
        raise Failure("INTERNAL_ERROR", f"XMLRPC.RunTimeTypeError({error})") from error


def backend_failure(*params: str) -> Failure:
    """The failure for a driver that did not answer in its protocol."""
    return Failure("SR_BACKEND_FAILURE", *params)


def is_not_implemented(failure: Failure) -> bool:
    """Whether a driver answered that it does not implement the call (fault 38)."""
    return (failure.code, *failure.params) == ("INTERNAL_ERROR", NOT_IMPLEMENTED)


def successful(response: Node, params: Mapping[str, Value], stderr: str) -> Node:
    """The value inside a methodResponse; raises the Failure that stands for a fault."""
    body = xmlrpc_text.single(response, "methodResponse")
    if isinstance(body, Node) and body.tag == "fault":
        raise fault(body, params, stderr)
    value = xmlrpc_text.single(xmlrpc_text.single(body, "params"), "param")
    if not isinstance(value, Node):
        raise TypeMismatch("response")
    return value


def fault(body: Node, params: Mapping[str, Value], stderr: str) -> Failure:
    """What the API shows for a fault of the driver; a few codes have a meaning of their own."""
    members = xmlrpc_text.to_struct(xmlrpc_text.single(body, "fault"))
    code = xmlrpc_text.to_int(members["faultCode"])
    if code == 16:
        return Failure("SR_DEVICE_IN_USE")
    if code == 24:
        return Failure("VDI_IN_USE")
    if code == 38:
        return Failure("INTERNAL_ERROR", NOT_IMPLEMENTED)
    if code == 39:
        return Failure("SR_NOT_EMPTY")
    if code == 144:
        return Failure("VDI_MISSING", str(params.get("sr_ref", "")), str(params.get("vdi_ref", "")))
    reason = xmlrpc_text.to_string(members["faultString"])
    return Failure(f"SR_BACKEND_FAILURE_{code}", "", reason, stderr)


def checked(call: str, value: Node) -> Any:
    """The reply as Python data; its type is given by the call."""
    if call == "sr_get_driver_info":
        return driver_info(value)
    if call == "vdi_attach":
        return _struct(value, attach_info)
    if call in VDI_INFO:
        return _struct(value, vdi_info)
    if call in STRINGS:
        return xmlrpc_text.to_string(value)
    return xmlrpc_text.to_nil(value)


def _struct(value: Node, convert: Callable[[Node], dict[str, Any]]) -> dict[str, Any]:
    text = xmlrpc_text.indented(value)
    try:
        return convert(value)
    except KeyError as missing:
        reason = f"<struct> missing field: {missing.args[0]}"
    except TypeMismatch as mismatch:
        reason = f"XMLRPC unmarshall RunTimeTypeError: looking for {mismatch} found {text}"
    raise backend_failure("", "XML parse failure: " + text, reason)


def vdi_info(value: Node) -> dict[str, Any]:
    """uuid and location of a disk; every member of the struct must be a string."""
    members = {name: xmlrpc_text.to_string(item) for name, item in xmlrpc_text.to_struct(value).items()}
    return {"uuid": members["uuid"], "location": members["location"]}


def attach_info(value: Node) -> dict[str, Any]:
    """Where an attached disk is; only ``params_nbd`` must be there, only paths must have their type."""
    members = xmlrpc_text.to_struct(value)
    return {
        "params": xmlrpc_text.to_string(members["params"]) if "params" in members else None,
        "params_nbd": xmlrpc_text.to_string(members["params_nbd"]),
        "o_direct": _lenient(members.get("o_direct"), xmlrpc_text.to_boolean, True),
        "o_direct_reason": _lenient(members.get("o_direct_reason"), xmlrpc_text.to_string, ""),
        "xenstore_data": _lenient(members.get("xenstore_data"), _string_map, {}),
    }


def _lenient(item: Optional[Node], convert: Callable[[Node], Any], default: Any) -> Any:
    if item is None:
        return default
    try:
        return convert(item)
    except TypeMismatch:
        return default


def _string_map(item: Node) -> dict[str, str]:
    return {name: xmlrpc_text.to_string(entry) for name, entry in xmlrpc_text.to_struct(item).items()}


def driver_info(value: Node) -> dict[str, Any]:
    """What a driver says about itself; raises TypeMismatch when a field is absent or of another type."""
    try:
        members = xmlrpc_text.to_struct(value)
        info: dict[str, Any] = {name: xmlrpc_text.to_string(members[name]) for name in DRIVER_STRINGS}
        info["capabilities"] = xmlrpc_text.to_array(members["capabilities"], xmlrpc_text.to_string)
        options = xmlrpc_text.to_array(members["configuration"], xmlrpc_text.to_struct)
        info["configuration"] = {
            xmlrpc_text.to_string(option["key"]): xmlrpc_text.to_string(option["description"])
            for option in options
        }
        return info
    except KeyError as missing:
        raise TypeMismatch(f"Smint.Backend_missing_field({missing})") from missing
