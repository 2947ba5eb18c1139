"""A XAPI of one process: as many objects and calls as SM's own modules use, over the local socket.

Every call is written down as [method, arguments]. References are made from names, so that two runs compare.
"""

import os
import re
import socketserver
import subprocess
import threading
import xmlrpc.client
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler
from typing import Any

SOCKET = "/var/lib/xcp/xapi"
PLUGINS = "/etc/xapi.d/plugins"
Record = dict[str, Any]


class Failure(Exception):
    """An API error."""


def ref(name: str) -> str:
    return "OpaqueRef:" + name


class Xapi:
    """Objects by class and reference, and the calls made so far."""

    def __init__(self) -> None:
        self.objects: dict[str, dict[str, Record]] = {}
        self.calls: list[list[Any]] = []
        self.lock = threading.RLock()
        self.later: tuple[int, Callable[[], Any]] | None = None

    def add(self, cls: str, name: str, **fields: Any) -> str:
        self.objects.setdefault(cls, {})[ref(name)] = {"uuid": name, **fields}
        return ref(name)

    def call(self, method: str, params: tuple[Any, ...]) -> Any:
        """One call with its session as the first parameter."""
        cls, _, verb = method.partition(".")
        args = params[1:] if method != "session.login_with_password" else ()
        with self.lock:
            self.calls.append([method, *map(plain, args)])
            self.count_down(method)
            special = getattr(self, "%s_%s" % (cls, verb), None)
        if special:
            return special(*args)
        with self.lock:
            return self.generic(cls, verb, *args)

    def count_down(self, method: str) -> None:
        """Do something right after the n-th look at a disk's sm_config."""
        if self.later and method == "VDI.get_sm_config":
            left, action = self.later
            self.later = (left - 1, action)
            if left == 0:
                self.later = None
                action()

    def generic(self, cls: str, verb: str, *args: Any) -> Any:
        rows = self.objects.setdefault(cls, {})
        if verb == "get_all":
            return list(rows)
        if verb == "get_all_records":
            return rows
        if verb == "get_all_records_where":
            return {key: row for key, row in rows.items() if matches(row, args[0])}
        if verb == "get_by_uuid":
            for key, row in rows.items():
                if row["uuid"] == args[0]:
                    return key
            raise Failure("UUID_INVALID", cls, args[0])
        if args[0] not in rows:
            raise Failure("HANDLE_INVALID", cls, args[0])
        return self.field(rows[args[0]], verb, *args[1:])

    def field(self, row: Record, verb: str, *args: Any) -> Any:
        if verb == "get_record":
            return row
        action, _, name = re.match(r"(get|set|add_to|remove_from)(_)(.*)", verb).groups()  # type: ignore[union-attr]
        if action == "get":
            return row[name]
        if action == "set":
            row[name] = args[0]
        elif action == "add_to":
            if args[0] in row[name]:
                raise Failure("MAP_DUPLICATE_KEY", "class", name, "ref", args[0])
            row[name][args[0]] = args[1]
        else:
            row[name].pop(args[0], None)
        return ""

    def session_login_with_password(self, *_: Any) -> str:
        return ref("session-of-sm")

    def session_logout(self) -> str:
        return ""

    def message_create(self, *_: Any) -> str:
        return ref("message")

    def VDI_db_introduce(self, *args: Any) -> str:
        names = ("uuid", "name_label", "name_description", "SR", "type", "sharable", "read_only", "other_config",
                 "location", "xenstore_data", "sm_config", "managed", "virtual_size", "physical_utilisation",
                 "metadata_of_pool", "is_a_snapshot", "snapshot_time", "snapshot_of", "cbt_enabled")
        row = dict(zip(names, args, strict=True))
        with self.lock:
            return self.add("VDI", row.pop("uuid"), **row)

    def VDI_db_forget(self, vdi: str) -> str:
        with self.lock:
            self.objects["VDI"].pop(vdi)
        return ""

    def host_call_plugin(self, host: str, plugin: str, function: str, args: dict[str, str]) -> str:
        """Run the plugin here, whichever host is meant."""
        request = xmlrpc.client.dumps((ref("session"), args), function)
        environment = {"PATH": "/sbin:/usr/sbin:/bin:/usr/bin"}
        done = subprocess.run([PLUGINS + "/" + plugin, request], env=environment, capture_output=True, check=False)
        try:
            reply: Any = xmlrpc.client.loads(done.stdout)[0][0]
        except Exception as error:
            raise Failure("XENAPI_PLUGIN_FAILURE", function, done.stdout.decode(), done.stderr.decode()) from error
        if reply["Status"] == "Failure":
            raise Failure(*reply["ErrorDescription"])
        return str(reply["Value"])


def matches(row: Record, query: str) -> bool:
    terms = re.findall(r'field "(\w+)" = "([^"]*)"', query)
    return all(row[name] == value for name, value in terms)


def plain(value: Any) -> Any:
    return str(value) if isinstance(value, xmlrpc.client.DateTime) else value


class Handler(BaseHTTPRequestHandler):
    """XML-RPC over HTTP on a unix socket."""

    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        params, method = xmlrpc.client.loads(body)
        try:
            reply = {"Status": "Success", "Value": self.server.xapi.call(method, params)}  # type: ignore[attr-defined]
        except Failure as failure:
            reply = {"Status": "Failure", "ErrorDescription": [str(part) for part in failure.args]}
        text = xmlrpc.client.dumps((reply,), methodresponse=True, allow_none=True).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def address_string(self) -> str:
        return "local"

    def log_message(self, format: str, *args: Any) -> None:
        """Quiet."""


class Server(socketserver.ThreadingUnixStreamServer):
    daemon_threads = True


def serve(xapi: Xapi) -> None:
    """Answer on the local socket from now on."""
    os.makedirs(os.path.dirname(SOCKET), exist_ok=True)
    if os.path.exists(SOCKET):
        os.unlink(SOCKET)
    server = Server(SOCKET, Handler)
    server.xapi = xapi  # type: ignore[attr-defined]
    threading.Thread(target=server.serve_forever, daemon=True).start()
