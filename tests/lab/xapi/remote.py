"""HTTP between the toolstacks of a pool: forwarded calls, functions run on another host, joining.

The pool's secret in a header stands for the TLS client certificates that real hosts show each other.
"""

import http.client
import json
import socket
from typing import Any, NamedTuple

from lab.xapi import registry
from lab.xapi.failure import Failure

SECRET_HEADER = "X-Lab-Pool-Secret"
HOST_HEADER = "X-Lab-Host"
RUN, HELLO, HEARTBEAT, JOIN = "/lab/run", "/lab/hello", "/lab/heartbeat", "/lab/join"
CONNECT_TIMEOUT = 5.0  # seconds; an answer may take as long as the driver or plugin does
KEEPALIVE = ((socket.TCP_KEEPIDLE, 10), (socket.TCP_KEEPINTVL, 5), (socket.TCP_KEEPCNT, 3))


class Unreachable(Exception):
    """The other host does not answer."""


class Reply(NamedTuple):
    """An HTTP answer."""

    status: int
    content_type: str
    body: bytes


def post(address: str, port: int, path: str, body: bytes, headers: dict[str, str]) -> Reply:
    """One request on a connection of its own. Raises Unreachable, also when the host dies meanwhile."""
    connection = http.client.HTTPConnection(address, port, timeout=CONNECT_TIMEOUT)
    try:
        connection.connect()
        _wait_while_alive(connection.sock)
        connection.request("POST", path, body, headers)
        response = connection.getresponse()
        return Reply(response.status, response.getheader("Content-Type", ""), response.read())
    except (OSError, http.client.HTTPException) as error:
        raise Unreachable("%s: %s" % (address, error)) from error
    finally:
        connection.close()


def _wait_while_alive(connected: socket.socket) -> None:
    connected.settimeout(None)
    connected.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    for option, value in KEEPALIVE:
        connected.setsockopt(socket.IPPROTO_TCP, option, value)


def ask(address: str, port: int, path: str, document: Any, secret: str) -> Any:
    """A JSON request between hosts. Raises Unreachable, or the Failure that the other side answers."""
    headers = {"Content-Type": "application/json", SECRET_HEADER: secret}
    reply = post(address, port, path, json.dumps(document).encode(), headers)
    if reply.status != 200:
        raise Unreachable("%s: HTTP status %d for %s" % (address, reply.status, path))
    answer = json.loads(reply.body)
    if "failure" in answer:
        raise Failure(*answer["failure"])
    return answer["result"]


def api_call(address: str, port: int, method: str, params: list[Any]) -> Any:
    """A call of the public API. Raises Unreachable or Failure."""
    document = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
    reply = post(address, port, "/jsonrpc", json.dumps(document).encode(), {"Content-Type": "application/json"})
    answer = json.loads(reply.body)
    if "error" in answer:
        raise Failure(answer["error"]["message"], *answer["error"]["data"])
    return answer["result"]


class LocalCalls:
    """A host's local functions, run here."""

    def run(self, name: str, /, **arguments: Any) -> Any:
        """Run a registered function. Raises its Failure."""
        return registry.local_functions[name](**arguments)

    def exec_sm(self, driver_path: str, method: str, params: dict[str, Any]) -> Any:
        """Execute a storage driver."""
        return self.run("exec_sm", driver_path=driver_path, method=method, params=params)

    def call_plugin(self, name: str, function: str, session_ref: str, arguments: dict[str, str]) -> str:
        """Execute a plugin."""
        result: str = self.run(
            "call_plugin", name=name, function=function, session_ref=session_ref, arguments=arguments
        )
        return result

    def run_hook(self, hook: str, arguments: list[str], reason: str = "none") -> None:
        """Execute the scripts of a hook."""
        self.run("run_hook", hook=hook, arguments=arguments, reason=reason)


class RemoteCalls(LocalCalls):
    """A host's local functions, run there."""

    def __init__(self, host: str, address: str, port: int, secret: str) -> None:
        self._host, self._address, self._port, self._secret = host, address, port, secret

    def run(self, name: str, /, **arguments: Any) -> Any:
        """Run a registered function. Raises its Failure, or HOST_OFFLINE."""
        document = {"name": name, "arguments": arguments}
        try:
            return ask(self._address, self._port, RUN, document, self._secret)
        except Unreachable as error:
            raise Failure("HOST_OFFLINE", self._host) from error
