"""Toolstacks in this process for tests: hosts on 127.0.0.x with one free port, files in temporary folders."""

import json
import secrets
import shutil
import socket
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from lab.xapi import config, remote
from lab.xapi.failure import Failure
from lab.xapi.master import Master
from lab.xapi.node import Node
from lab.xapi.webserver import Request

PASSWORD = "root password"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Host:
    """One host; start it (again) with ``start``."""

    def __init__(self, number: int, port: int) -> None:
        # In /tmp, and no underscores: XenAPI's client turns them into slashes of the socket's path.
        self.root = Path("/tmp/xapi%d-%s" % (number, secrets.token_hex(4)))
        self.root.mkdir(mode=0o700)
        self.address = "127.0.0.%d" % number
        self.port = port
        self.uuid = str(uuid.uuid4())
        self._write("etc/xensource-inventory", "INSTALLATION_UUID='%s'\nCONTROL_DOMAIN_UUID='%s'\n"
                    % (self.uuid, uuid.uuid4()))  # fmt: skip
        self._write("etc/xensource/pool.conf", "master")
        self._write("etc/lab/xapi.json", json.dumps({
            "address": self.address, "root_password": PASSWORD, "host_name": "host%d" % number,
            "port": port, "login_delay": 0.0, "start_delay": 0.1,
        }))  # fmt: skip
        self.node: Node | None = None

    def _write(self, name: str, text: str) -> None:
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")

    @property
    def url(self) -> str:
        return "http://%s:%d" % (self.address, self.port)

    @property
    def socket(self) -> Path:
        return self.root / "var/lib/xcp/xapi"

    @property
    def master(self) -> Master:
        assert self.node is not None and isinstance(self.node.role, Master)
        return self.node.role

    def start(self) -> "Host":
        self.node = Node(config.read(self.root))
        self.node.start()
        return self

    def stop(self) -> None:
        if self.node is not None:
            self.node.stop()
            self.node = None

    def remove(self) -> None:
        self.stop()
        shutil.rmtree(self.root, ignore_errors=True)

    def raw(self, method: str, params: list[Any], local: bool = False) -> Any:
        """The whole JSON-RPC reply to a call."""
        body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}).encode()
        if local:
            assert self.node is not None
            reply = self.node.handle(Request("POST", "/jsonrpc", {"content-type": "application/json"}, body, True))
        else:
            reply = remote.post(self.address, self.port, "/jsonrpc", body, {"Content-Type": "application/json"})
        return json.loads(reply.body)

    def call(self, method: str, *params: Any, local: bool = False) -> Any:
        """The result of a call; raises Failure."""
        answer = self.raw(method, list(params), local)
        if "error" in answer:
            raise Failure(answer["error"]["message"], *answer["error"]["data"])
        return answer["result"]

    def login(self) -> str:
        session: str = self.call("session.login_with_password", "root", PASSWORD, local=True)
        return session


@contextmanager
def hosts(count: int) -> Iterator[list[Host]]:
    """Running hosts, each a pool of its own."""
    port = free_port()
    made = [Host(number, port) for number in range(1, count + 1)]
    try:
        yield [host.start() for host in made]
    finally:
        for host in made:
            host.remove()
