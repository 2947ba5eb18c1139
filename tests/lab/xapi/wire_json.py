"""JSON-RPC as xapi speaks it on /jsonrpc: version 2 with error objects, version 1 when none is named."""

import json
from typing import Any, NamedTuple

from lab.xapi.failure import Failure


class Malformed(Exception):
    """The body is no JSON-RPC call."""


class Call(NamedTuple):
    """A call and what its answer has to repeat."""

    method: str
    params: list[Any]
    identity: Any
    version2: bool


def parse_call(body: bytes) -> Call:
    """Read a call. Raises Malformed."""
    try:
        document = json.loads(body)
    except ValueError as error:
        raise Malformed(str(error)) from error
    if not isinstance(document, dict) or not isinstance(document.get("method"), str):
        raise Malformed("no method")
    params = document.get("params", [])
    if not isinstance(params, list):
        raise Malformed("params is no list")
    return Call(document["method"], params, document.get("id"), document.get("jsonrpc") == "2.0")


def response(call: Call, value: Any) -> str:
    """The answer to a call that went well; nothing is the empty string, as in XML-RPC."""
    result = "" if value is None else value
    if call.version2:
        return _text({"jsonrpc": "2.0", "result": result, "id": call.identity})
    return _text({"result": {"Status": "Success", "Value": result}, "error": None, "id": call.identity})


def failure_response(call: Call, failure: Failure) -> str:
    """The answer to a call that failed."""
    if call.version2:
        error = {"code": 1, "message": failure.code, "data": list(failure.params)}
        return _text({"jsonrpc": "2.0", "error": error, "id": call.identity})
    return _text({"result": None, "error": failure.description, "id": call.identity})


def _text(document: dict[str, Any]) -> str:
    return json.dumps(document, ensure_ascii=False, separators=(",", ":"))
