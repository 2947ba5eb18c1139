"""HTTP/1.1 with kept connections, one thread each, on TCP and on a unix socket."""

import logging
import os
import socket
import socketserver
import threading
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from lab.xapi.remote import Reply

LOG = logging.getLogger("xapi")


class Request(NamedTuple):
    """A request; ``local`` when it came over the unix socket."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes
    local: bool


class Application(Protocol):
    """Whoever answers requests."""

    def handle(self, request: Request) -> Reply:
        """Answer; an exception becomes status 500."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: "_TcpServer | _UnixServer"

    def do_POST(self) -> None:  # noqa: N802 (http.server's name)
        self._answer()

    def do_GET(self) -> None:  # noqa: N802 (http.server's name)
        self._answer()

    def do_PUT(self) -> None:  # noqa: N802 (http.server's name)
        self._answer()

    def _answer(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        headers = {name.lower(): value for name, value in self.headers.items()}
        request = Request(self.command, self.path, headers, self.rfile.read(length), self.server.is_local)
        try:
            reply = self.server.application.handle(request)
        except Exception:  # as xapi: one request's error is that request's alone
            LOG.exception("%s %s", self.command, self.path)
            reply = Reply(500, "text/html", b"<html><body><h1>HTTP 500 internal server error</h1></body></html>")
        self._send(reply)

    def _send(self, reply: Reply) -> None:
        kept = "keep-alive" if not self.close_connection else "close"
        head = (
            "HTTP/1.1 %d %s\r\nContent-Type: %s\r\nContent-Length: %d\r\nConnection: %s\r\n"
            "Cache-Control: no-cache, no-store\r\nAccess-Control-Allow-Origin: *\r\n"
            "Access-Control-Allow-Headers: X-Requested-With\r\n\r\n"
        ) % (reply.status, "OK" if reply.status == 200 else "Error", reply.content_type, len(reply.body), kept)
        # In one piece: two would wait for each other (Nagle, delayed acknowledgement).
        self.wfile.write(head.encode("ascii") + reply.body)

    def log_message(self, format: str, *args: Any) -> None:
        """Requests are logged by name where they are dispatched."""


class _TcpServer(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True
    request_queue_size = 128
    is_local = False
    application: Application

    def get_request(self) -> tuple[socket.socket, Any]:
        connected, address = super().get_request()
        connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return connected, address

    def handle_error(self, request: Any, client_address: Any) -> None:
        LOG.debug("connection lost", exc_info=True)


class _UnixServer(socketserver.ThreadingUnixStreamServer):
    daemon_threads = True
    request_queue_size = 128
    is_local = True
    application: Application

    def handle_error(self, request: Any, client_address: Any) -> None:
        LOG.debug("connection lost", exc_info=True)


class WebServer:
    """Both listeners for one application."""

    def __init__(self, application: Application, address: str, port: int, socket_path: Path) -> None:
        self._tcp = _TcpServer((address, port), _Handler)
        self._unix = _listen_unix(socket_path)
        self._socket_path = socket_path
        self._tcp.application = self._unix.application = application

    @property
    def port(self) -> int:
        """The TCP port."""
        return int(self._tcp.server_address[1])

    def start(self) -> None:
        """Serve in the background."""
        for server in (self._tcp, self._unix):
            threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()

    def stop(self) -> None:
        """Stop listening and remove the socket; running requests go on."""
        for server in (self._tcp, self._unix):
            server.shutdown()
            server.server_close()
        self._socket_path.unlink(missing_ok=True)


def _listen_unix(path: Path) -> _UnixServer:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    before = os.umask(0o077)  # root's alone from its first moment
    try:
        return _UnixServer(str(path), _Handler)
    finally:
        os.umask(before)
