"""The helper of XAPI plugins: read one call, run it, print one response."""

import sys
import xmlrpc.client
from typing import Any, Callable, Dict, List

import XenAPI


class Failure(Exception):
    """An error that the caller of the plugin sees with exactly this code and these parameters."""

    def __init__(self, code: str, params: List[str]) -> None:
        super().__init__()
        self.params = [code] + params

    def __str__(self) -> str:
        return str(self.params)


def dispatch(fn_table: Dict[str, Callable[[Any, Dict[str, str]], Any]]) -> None:
    """Serve the call in argv. A value that is no text is not noticed here, but by XAPI."""
    if len(sys.argv) != 2:
        raise Exception("Incorrect number of commandline arguments")
    call: Any = xmlrpc.client.loads(sys.argv[1])
    (session_ref, args), name = call
    if name not in fn_table:
        print(failure_message(["UNKNOWN_XENAPI_PLUGIN_FUNCTION", name]))
        return
    session = XenAPI.xapi_local()
    session._session = session_ref
    try:
        print(success_message(fn_table[name](session, args)))
    except Failure as failure:
        print(failure_message(failure.params))
    except Exception as error:
        print(failure_message(["XENAPI_PLUGIN_FAILURE", name, error.__class__.__name__, str(error)]))


def success_message(result: Any) -> str:
    """The response that carries a value."""
    return _response({"Status": "Success", "Value": result})


def failure_message(description: List[str]) -> str:
    """The response that carries an error."""
    return _response({"Status": "Failure", "ErrorDescription": description})


def _response(struct: Any) -> str:
    return xmlrpc.client.dumps((struct,), "", True)
