"""What a handler is given: who calls, in which task, and the ways to the database and to the hosts."""

import threading
from collections.abc import Callable
from typing import Any, NamedTuple, Protocol

from lab.xapi.config import Config
from lab.xapi.database import Database
from lab.xapi.failure import Failure
from lab.xapi.values import NULL


class Session(NamedTuple):
    """A logged-in caller. ``is_sm_for`` is the SR whose driver runs with it; such a session alone may write to
    the fields of that SR and its VDIs that belong to the driver."""

    ref: str
    user: str
    host: str
    is_local: bool = False
    is_sm_for: str | None = None


NOBODY = Session("", "", NULL)  # the caller of a method that needs no session


class Origin(NamedTuple):
    """Where a request came from: the local root of ``host`` (its unix socket), or some address."""

    host: str
    is_local: bool


NOWHERE = Origin(NULL, False)


class HostCalls(Protocol):
    """A host's local functions, whether it is this one or a member."""

    def run(self, name: str, /, **arguments: Any) -> Any:
        """Run a function registered with ``registry.local``. Raises its Failure, or HOST_OFFLINE."""

    def exec_sm(self, driver_path: str, method: str, params: dict[str, Any]) -> Any:
        """Execute a storage driver; see sm_exec.execute."""

    def call_plugin(self, name: str, function: str, session_ref: str, arguments: dict[str, str]) -> str:
        """Execute a plugin; see plugin_exec.execute."""

    def run_hook(self, hook: str, arguments: list[str], reason: str = "none") -> None:
        """Execute the scripts of a hook (its folder's name); see hook_exec.execute."""


class Pool(Protocol):
    """The master's process, as handlers use it."""

    db: Database
    host: str  # the master's own host reference
    config: Config
    stopped: threading.Event  # set when this process ends or gives its pool up: for work in the background

    def on_host(self, host: str) -> HostCalls:
        """Calls to a host of the pool."""

    def sm_session(self, sr: str | None, host: str | None = None) -> str:
        """Open a superuser session for one driver call on a host; close it with ``close_session``."""

    def close_session(self, session: str) -> None:
        """End a session."""

    def become_member(self, master: str, secret: str) -> None:
        """Give up this pool for another master's."""

    def invoke(self, ctx: "Context", name: str, arguments: tuple[Any, ...]) -> Any:
        """Run another API method in this context."""


class Context:
    """One running API call."""

    def __init__(
        self,
        server: Pool,
        session: Session = NOBODY,
        origin: Origin = NOWHERE,
        task: str = NULL,
        name: str = "",
    ) -> None:
        self.server = server
        self.db = server.db
        self.session = session
        self.origin = origin
        self.task = task  # NULL when the call has no task in the database
        self.name = name  # for example "Async.SR.scan"

    def on_host(self, host: str) -> HostCalls:
        """The host's local functions. Raises HANDLE_INVALID for no host."""
        return self.server.on_host(host)

    def call(self, name: str, *arguments: Any) -> Any:
        """Run another API method with the same session and task (arguments already of the right types)."""
        return self.server.invoke(self, name, arguments)

    def as_driver(self, sr: str | None, run: Callable[[str], Any], host: str | None = None) -> Any:
        """``run(session_ref)`` with a fresh session that has the driver's rights on this SR and dies after.

        ``host`` is where the driver runs: the session's this_host.
        """
        session = self.server.sm_session(sr, host)
        try:
            return run(session)
        finally:
            self.server.close_session(session)

    def require_sm_access(self, sr: str) -> None:
        """PERMISSION_DENIED unless the caller is the driver of this SR."""
        if self.session.is_sm_for is None or self.session.is_sm_for != sr:
            raise Failure("PERMISSION_DENIED", "")

    def set_progress(self, fraction: float) -> None:
        """Show how far the task is, 0 to 1."""
        if self.task != NULL:
            self.db.set("task", self.task, progress=fraction)

    def set_cancellable(self, allowed: bool = True) -> None:
        """Say whether task.cancel has any effect from here on."""
        if self.task != NULL:
            self.db.set("task", self.task, allowed_operations=["cancel"] if allowed else [])

    def raise_if_cancelled(self) -> None:
        """TASK_CANCELLED when somebody has asked for it."""
        if self.task != NULL and "cancel" in self.db.field("task", self.task, "current_operations").values():
            raise Failure("TASK_CANCELLED", self.task)
