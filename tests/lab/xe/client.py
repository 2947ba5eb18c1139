"""The connection to a pool, and names for the objects that references stand for."""

import contextlib
import xmlrpc.client
from typing import Any, Optional

import XenAPI

NULL = "OpaqueRef:NULL"
ABSENT = "<not in database>"
VERSION = "2.21"
# Where to look for the object that a reference in an error stands for.
NAMED = ("VM", "VDI", "SR", "host", "PBD", "VBD", "pool", "SM", "task", "secret", "network")


def _wire(value: Any) -> Any:
    """XAPI's XML-RPC has no 64-bit integers: they travel as strings."""
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    return value


class Client:
    """Calls of the API with the session filled in; failures are raised as XenAPI.Failure."""

    def __init__(self, session: Any) -> None:
        self._session = session
        self._known: dict[str, dict[str, dict[str, Any]]] = {}

    def call(self, method: str, *params: Any) -> Any:
        """``method`` with the session as its first parameter."""
        return self._session.xenapi_request(method, tuple(_wire(param) for param in params))

    def task(self, method: str, *params: Any) -> None:
        """An asynchronous call, waited for; raises XenAPI.Failure with the task's error."""
        task = self.call("Async." + method, *params)
        token = ""
        try:
            while self.call("task.get_status", task) == "pending":
                token = self.call("event.from", ["task/" + task], token, 30.0)["token"]
            if self.call("task.get_status", task) != "success":
                raise XenAPI.Failure(self.call("task.get_error_info", task))
        finally:
            self.call("task.destroy", task)

    def record(self, cls: str, ref: str) -> Optional[dict[str, Any]]:
        """A record for showing names; all of a class are fetched at once and kept. None when unknown."""
        if cls not in self._known:
            self._known[cls] = self.call(cls + ".get_all_records")
        return self._known[cls].get(ref)

    def uuid(self, cls: str, ref: str) -> str:
        """The uuid of an object, or the text shown for one that is gone."""
        found = self.record(cls, ref)
        return str(found["uuid"]) if found else ABSENT

    def name(self, cls: str, ref: str) -> str:
        """The name of an object, or the text shown for one that is gone or has none."""
        found = self.record(cls, ref)
        return str(found.get("name_label", ABSENT)) if found else ABSENT

    def described(self, param: str) -> str:
        """An error's parameter for people: a reference becomes the object's uuid and name."""
        if not param.startswith("OpaqueRef:") or param == NULL:
            return param
        for cls in NAMED:
            try:
                found = self.call(cls + ".get_record", param)
            except XenAPI.Failure:
                continue
            name = found.get("name_label")
            return f"{found['uuid']} ({name})" if name is not None else str(found["uuid"])
        return param

    def close(self) -> None:
        """Log out; a session that is gone already is no error."""
        with contextlib.suppress(XenAPI.Failure, OSError, xmlrpc.client.Error):
            self.call("session.logout")


def connect(server: str, port: str, user: str, password: str) -> Client:
    """Log in to ``server``; without one it is this host's socket, where root needs no password."""
    if server in ("", "localhost", "127.0.0.1") and not port:
        session = XenAPI.xapi_local()
    else:
        session = XenAPI.Session("http://" + (f"{server}:{port}" if port else server))
    session.xenapi_request("login_with_password", (user, password, VERSION, "cli"))
    return Client(session)
