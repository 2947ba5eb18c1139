"""The toolstack of a member: its local clients' calls go to the master, the master's requests run here."""

import json
import logging
import threading

from lab.xapi import remote, wire_json, wire_xml
from lab.xapi.config import Config
from lab.xapi.dispatch import LIST_METHODS
from lab.xapi.failure import Failure
from lab.xapi.master import JSON, XML, is_trusted, run_local
from lab.xapi.remote import Reply, Unreachable
from lab.xapi.schema import schema
from lab.xapi.webserver import Request

LOG = logging.getLogger("xapi")


class Member:
    """One host that belongs to another one's pool."""

    def __init__(self, config: Config, master: str, secret: str) -> None:
        self._config = config
        self._master = master
        self._secret = secret
        self._stopped = threading.Event()

    def start(self, booted: bool) -> None:
        """Tell the master that this host is up, and then that it lives, in the background."""
        threading.Thread(target=self._announce, args=(booted,), name="announcement", daemon=True).start()

    def stop(self) -> None:
        """Fall silent."""
        self._stopped.set()

    def handle(self, request: Request) -> Reply:
        """Answer a request of a client or of another host."""
        if request.method != "POST":
            return Reply(404, "text/html", b"")
        if request.path == remote.RUN and is_trusted(request, self._secret):
            return run_local(json.loads(request.body))
        if request.path.startswith("/lab/"):
            return Reply(403, JSON, b"{}")
        if request.local:
            return self._forward(request)
        return _refuse(request, Failure("HOST_IS_SLAVE", self._master))

    def _forward(self, request: Request) -> Reply:
        headers = {
            "Content-Type": request.headers.get("content-type", XML),
            remote.SECRET_HEADER: self._secret,
            remote.HOST_HEADER: self._config.host_uuid,
        }
        try:
            return remote.post(self._master, self._config.port, request.path, request.body, headers)
        except Unreachable as error:
            LOG.warning("the master does not answer: %s", error)
            return _refuse(request, Failure("HOST_IN_EMERGENCY_MODE"))

    def _announce(self, booted: bool) -> None:
        document = {"host": self._config.host_uuid, "booted": booted}
        while not self._tell(remote.HELLO, document):
            if self._stopped.wait(self._config.start_delay):
                return
        while not self._stopped.wait(self._config.heartbeat):
            self._tell(remote.HEARTBEAT, document)

    def _tell(self, path: str, document: dict[str, object]) -> bool:
        try:
            remote.ask(self._master, self._config.port, path, document, self._secret)
        except (Unreachable, Failure) as error:
            LOG.warning("the master %s did not take %s: %s", self._master, path, error)
            return False
        return True


def _refuse(request: Request, failure: Failure) -> Reply:
    if request.path.partition("?")[0] == "/jsonrpc":
        call = wire_json.parse_call(request.body)
        listed = call.method == LIST_METHODS
        text = wire_json.response(call, _names()) if listed else wire_json.failure_response(call, failure)
        return Reply(200, JSON, text.encode("utf-8"))
    name, _ = wire_xml.parse_call(request.body)
    text = wire_xml.bare_response(_names()) if name == LIST_METHODS else wire_xml.failure_response(failure)
    return Reply(200, XML, text.encode("utf-8"))


def _names() -> list[str]:
    return schema().method_names
