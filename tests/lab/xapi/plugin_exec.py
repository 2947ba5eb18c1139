"""One execution of a host plugin from the plugin directory."""

import os
import xml.etree.ElementTree as ElementTree
from collections.abc import Mapping

from lab.xapi import process, xmlrpc_text
from lab.xapi.failure import Failure
from lab.xapi.xmlrpc_text import Node, TypeMismatch


def execute(directory: str, name: str, function: str, session: str, args: Mapping[str, str]) -> str:
    """Run a function of a plugin in ``directory`` with the caller's session and return its string.

    Raises Failure: the plugin's own, XENAPI_MISSING_PLUGIN, or XENAPI_PLUGIN_FAILURE with what it printed.
    """
    if name not in _entries(directory):
        raise Failure("XENAPI_MISSING_PLUGIN", name)
    call = xmlrpc_text.call_text(function, [session, dict(args)])
    outcome = process.run([os.path.join(directory, name), call], process.PATH_ONLY)
    if outcome.status < 0:
        raise _failure(f"signal: {outcome.signal_name}", outcome.stdout, outcome.stderr)
    if outcome.status:
        raise _failure("non-zero exit", outcome.stdout, outcome.stderr)
    try:
        return result(xmlrpc_text.parse(outcome.stdout))
    except ElementTree.ParseError as error:
        message = f"{str(error).split(':')[0]} line {error.position[0]}"
        raise _failure("failed to parse plugin output", outcome.stdout, message) from error
    except TypeMismatch as error:
        raise Failure("INTERNAL_ERROR", f"XMLRPC.RunTimeTypeError({error})") from error


def _entries(directory: str) -> list[str]:
    return os.listdir(directory) if os.path.isdir(directory) else []


def _failure(*params: str) -> Failure:
    return Failure("XENAPI_PLUGIN_FAILURE", *params)


def result(response: Node) -> str:
    """The string inside a reply; raises the Failure that the plugin reports."""
    body = xmlrpc_text.single(response, "methodResponse")
    if isinstance(body, Node) and body.tag == "fault":
        members = xmlrpc_text.to_struct(xmlrpc_text.single(body, "fault"))
        code = xmlrpc_text.to_int(members["faultCode"])
        raise _failure("fault", str(code), xmlrpc_text.to_string(members["faultString"]))
    status = xmlrpc_text.to_struct(xmlrpc_text.single(xmlrpc_text.single(body, "params"), "param"))
    if "Status" in status and "Value" in status and xmlrpc_text.to_string(status["Status"]) == "Success":
        return xmlrpc_text.to_string(status["Value"])
    if "ErrorDescription" in status and xmlrpc_text.to_string(status["Status"]) == "Failure":
        raise _own_failure(status["ErrorDescription"])
    raise TypeMismatch("Status")


def _own_failure(item: Node) -> Failure:
    description = xmlrpc_text.to_array(item, xmlrpc_text.to_string)
    if not description:
        raise TypeMismatch("Empty array of error strings")
    return Failure(*description)
