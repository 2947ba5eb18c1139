"""From a wire call to a handler: names, arity, types, session, task, and the two ways to run it."""

import copy
import logging
import threading
from typing import Any

from lab.xapi import generic, registry, sessions, tasks
from lab.xapi.context import NOBODY, Context, Origin, Pool
from lab.xapi.failure import Failure, internal
from lab.xapi.registry import Handler
from lab.xapi.schema import REQUIRED, Method, schema
from lab.xapi.values import converter
from lab.xapi.wire_xml import value_text

LOG = logging.getLogger("xapi")
ASYNC = "Async."
LIST_METHODS = "system.listMethods"


class Dispatcher:
    """Runs API calls on the master."""

    def __init__(self, server: Pool) -> None:
        self._server = server
        self._handlers: dict[str, Handler] = dict(generic.handlers(schema()))
        self._handlers.update(registry.calls)

    def dispatch(self, name: str, params: list[Any], origin: Origin) -> Any:
        """Answer a call. Raises Failure."""
        if name == LIST_METHODS:
            return list(schema().method_names)
        plain = name[len(ASYNC) :] if name.startswith(ASYNC) else name
        method = schema().find(plain)
        if method is None:
            raise self._unknown(plain, params)
        arguments = _arguments(method, plain, params)
        session = NOBODY
        if method.session:
            session = sessions.find(self._server.db, converter("session ref")(params[0]))
        if method.removed:
            raise Failure("MESSAGE_REMOVED")
        ctx = Context(self._server, session, origin, name=name)
        if name.startswith(ASYNC):
            return self._start(ctx, method, arguments)
        return self._run(ctx, method, arguments)

    def invoke(self, ctx: Context, name: str, arguments: tuple[Any, ...]) -> Any:
        """Run a method inside another one, with its session and task."""
        return self._handler(schema().methods[name])(ctx, *arguments)

    def _unknown(self, name: str, params: list[Any]) -> Failure:
        # xapi looks for an extension of that name first, and that needs a session.
        if params:
            sessions.find(self._server.db, converter("session ref")(params[0]))
        return Failure("MESSAGE_METHOD_UNKNOWN", name)

    def _handler(self, method: Method) -> Handler:
        handler = self._handlers.get(method.name)
        if handler is None:
            raise Failure("NOT_IMPLEMENTED", method.name)
        return handler

    def _run(self, ctx: Context, method: Method, arguments: list[Any]) -> Any:
        handler = self._handler(method)
        if not method.asynchronous:
            return self._execute(ctx, handler, arguments)
        # A call that could be asynchronous has a task while it runs, also when it is not.
        ctx.task = tasks.create(ctx.db, self._server.host, ctx.name)
        try:
            return self._execute(ctx, handler, arguments)
        finally:
            with ctx.db.lock:
                if ctx.db.exists("task", ctx.task):
                    ctx.db.delete("task", ctx.task)

    def _start(self, ctx: Context, method: Method, arguments: list[Any]) -> str:
        if not method.asynchronous:
            raise Failure("Fault", "No async mode for this operation (rpc: %s)" % method.name)
        handler = self._handler(method)
        ctx.task = tasks.create(ctx.db, self._server.host, ctx.name)
        thread = threading.Thread(target=self._complete, args=(ctx, handler, arguments), name=ctx.name, daemon=True)
        thread.start()
        return ctx.task

    def _complete(self, ctx: Context, handler: Handler, arguments: list[Any]) -> None:
        try:
            result = self._execute(ctx, handler, arguments)
        except Failure as failure:
            tasks.fail(ctx.db, ctx.task, failure)
        else:
            tasks.succeed(ctx.db, ctx.task, value_text(result))

    def _execute(self, ctx: Context, handler: Handler, arguments: list[Any]) -> Any:
        try:
            return handler(ctx, *arguments)
        except Failure as failure:
            LOG.info("%s: %s", ctx.name, " ".join(failure.description))
            raise
        except Exception as error:  # as xapi: whatever a call raises is answered, the server lives on
            LOG.exception("%s", ctx.name)
            raise internal("%s: %s" % (type(error).__name__, error)) from error


def _arguments(method: Method, called: str, params: list[Any]) -> list[Any]:
    """Unmarshal. Missing ones get their default; where one has a default, surplus ones are ignored, as in xapi."""
    given = params[1:] if method.session else params
    optional = len(method.parameters) > method.required
    if (
        len(given) < method.required
        or (len(given) > method.required and not optional)
        or (method.session and not params)
    ):
        received = len(params) - (1 if method.session else 0)
        raise Failure("MESSAGE_PARAMETER_COUNT_MISMATCH", called, str(method.required), str(received))
    if registry.is_constructor(method):
        return [_record(method, given[0])]
    converted = [converter(parameter.type)(value) for parameter, value in zip(method.parameters, given, strict=False)]
    # Copies: a handler may do with its arguments what it likes.
    return converted + [copy.copy(parameter.default) for parameter in method.parameters[len(converted) :]]


def _record(method: Method, given: Any) -> dict[str, Any]:
    """The fields of a constructor, from the struct on the wire."""
    if not isinstance(given, dict):
        raise internal('Failure("bad __structure")')
    record = {}
    for name, default in registry.constructor_fields(method).items():
        if name in given:
            record[name] = converter(schema().classes[method.cls].fields[name].type)(given[name])
        elif default is REQUIRED:
            raise internal('Server_helpers.Dispatcher_FieldNotFound("%s")' % name)
        else:
            record[name] = copy.copy(default)
    return record
