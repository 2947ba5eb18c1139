"""The toolstack of a pool's master: it has the database, answers the API and reaches the members."""

import hmac
import json
import logging
import threading
from collections.abc import Callable
from typing import Any

from lab.xapi import joining, lifecycle, registry, remote, sessions, wire_json, wire_xml
from lab.xapi.config import Config
from lab.xapi.context import Context, HostCalls, Origin, Session
from lab.xapi.database import Database
from lab.xapi.dispatch import LIST_METHODS, Dispatcher
from lab.xapi.failure import Failure
from lab.xapi.liveness import Liveness
from lab.xapi.remote import Reply
from lab.xapi.values import NULL
from lab.xapi.webserver import Request

LOG = logging.getLogger("xapi")
JSON, XML = "application/json", "text/xml"  # clients compare these as a whole: no charset


class Master:
    """One pool."""

    def __init__(self, config: Config, db: Database, secret: str, join: Callable[[str, str], None]) -> None:
        self.db = db
        self.host = db.by_uuid("host", config.host_uuid)
        self.config = config
        self.secret = secret
        self._join = join
        self._dispatcher = Dispatcher(self)
        self.stopped = threading.Event()
        self._liveness = Liveness(db, self.host, config.heartbeat, config.silence)

    def start(self, booted: bool) -> None:
        """Run what follows the start of the master's own toolstack."""
        self._liveness.start(self.stopped)
        lifecycle.host_started(self.context("startup"), self.host, booted)

    def stop(self) -> None:
        """End the work in the background."""
        self.stopped.set()

    # what handlers use -----------------------------------------------------------------------------------

    def on_host(self, host: str) -> HostCalls:
        """A host's local functions."""
        if host == self.host:
            return remote.LocalCalls()
        address = self.db.field("host", host, "address")
        return remote.RemoteCalls(host, address, self.config.port, self.secret)

    def sm_session(self, sr: str | None, host: str | None = None) -> str:
        """Open a superuser session for one driver call on a host (the master when None)."""
        return sessions.create(self.db, host or self.host, "", sr=sr or NULL)

    def close_session(self, session: str) -> None:
        """End a session."""
        sessions.delete(self.db, session)

    def become_member(self, master: str, secret: str) -> None:
        """Give up this pool for another master's."""
        self._join(master, secret)

    def invoke(self, ctx: Context, name: str, arguments: tuple[Any, ...]) -> Any:
        """Run another API method in this context."""
        return self._dispatcher.invoke(ctx, name, arguments)

    def context(self, name: str) -> Context:
        """A context for the toolstack's own work: a superuser that is nobody's session."""
        origin = Origin(self.host, True)
        return Context(self, Session("", "root", self.host, is_local=True), origin, name=name)

    # requests --------------------------------------------------------------------------------------------

    def handle(self, request: Request) -> Reply:
        """Answer a request of a client or of another host."""
        if request.method != "POST":
            return Reply(404, "text/html", b"")
        if request.path.startswith("/lab/"):
            return self._handle_peer(request)
        origin = self._origin(request)
        if request.path.partition("?")[0] == "/jsonrpc":
            return self._handle_json(request.body, origin)
        return self._handle_xml(request.body, origin)

    def _origin(self, request: Request) -> Origin:
        if request.local:
            return Origin(self.host, True)
        if is_trusted(request, self.secret):  # the local root of a member
            return Origin(self.db.by_uuid("host", request.headers[remote.HOST_HEADER.lower()]), True)
        return Origin(NULL, False)

    def _handle_json(self, body: bytes, origin: Origin) -> Reply:
        call = wire_json.parse_call(body)
        try:
            answer = wire_json.response(call, self._dispatcher.dispatch(call.method, call.params, origin))
        except Failure as failure:
            answer = wire_json.failure_response(call, failure)
        return Reply(200, JSON, answer.encode("utf-8"))

    def _handle_xml(self, body: bytes, origin: Origin) -> Reply:
        name, params = wire_xml.parse_call(body)
        try:
            value = self._dispatcher.dispatch(name, params, origin)
            answer = wire_xml.bare_response(value) if name == LIST_METHODS else wire_xml.response(value)
        except Failure as failure:
            answer = wire_xml.failure_response(failure)
        return Reply(200, XML, answer.encode("utf-8"))

    def _handle_peer(self, request: Request) -> Reply:
        document = json.loads(request.body)
        if request.path == remote.JOIN:  # the joiner has logged in, and learns the secret by this
            return peer_reply(lambda: self._accept_joiner(document))
        if not is_trusted(request, self.secret):
            return Reply(403, JSON, b"{}")
        if request.path == remote.RUN:
            return run_local(document)
        if request.path == remote.HELLO:
            return peer_reply(lambda: self._greet(document))
        if request.path == remote.HEARTBEAT:
            return peer_reply(lambda: self._liveness.heard(self.db.by_uuid("host", document["host"])))
        return Reply(404, JSON, b"{}")

    def _accept_joiner(self, document: dict[str, Any]) -> str:
        session = sessions.find(self.db, document["session"])
        if not session.is_local:
            raise Failure("RBAC_PERMISSION_DENIED", "pool.join", "")
        joining.admit(self.db, document["tables"])
        return self.secret

    def _greet(self, document: dict[str, Any]) -> None:
        host = self.db.by_uuid("host", document["host"])
        self._liveness.heard(host)
        ctx = self.context("startup of a member")
        # The member serves driver calls already and must not wait for the answer while they use it.
        threading.Thread(
            target=lifecycle.host_started, args=(ctx, host, document["booted"]), name="greeting", daemon=True
        ).start()


def is_trusted(request: Request, secret: str) -> bool:
    """Whether a request comes from a host of the pool."""
    return hmac.compare_digest(request.headers.get(remote.SECRET_HEADER.lower(), ""), secret)


def run_local(document: dict[str, Any]) -> Reply:
    """Run a local function that another host of the pool asks for."""
    function = registry.local_functions[document["name"]]
    return peer_reply(lambda: function(**document["arguments"]))


def peer_reply(run: Callable[[], Any]) -> Reply:
    """The JSON answer between hosts."""
    try:
        answer: dict[str, Any] = {"result": run()}
    except Failure as failure:
        answer = {"failure": failure.description}
    return Reply(200, JSON, json.dumps(answer).encode())
