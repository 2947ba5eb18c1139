"""Where the class modules put their calls.

::

    @call("SR.create")
    def create(ctx, host, device_config, physical_size, ...):
        ...

A handler gets the Context and the arguments of the datamodel in its order, unmarshalled and with defaults
filled in; a constructor (``VBD.create``) gets one dict with every field. It returns the plain value or raises
Failure; ``Async.SR.create``, arity, types, session and task are the dispatcher's work. A name that xapi does
not have, or a handler with the wrong number of parameters, is refused when its module is imported.
"""

import inspect
from collections.abc import Callable
from typing import Any, TypeVar

from lab.xapi.context import Context
from lab.xapi.schema import REQUIRED, Method, schema

Handler = Callable[..., Any]
Function = TypeVar("Function", bound=Callable[..., Any])
StartHook = Callable[[Context, str], None]

calls: dict[str, Handler] = {}
local_functions: dict[str, Callable[..., Any]] = {}
start_hooks: list[StartHook] = []


def call(*names: str) -> Callable[[Function], Function]:
    """Make a function the implementation of one or more API methods (dotted names)."""

    def register(handler: Function) -> Function:
        for name in names:
            method = schema().methods[name]
            if name in calls:
                raise ValueError("%s has two implementations" % name)
            _require_arity(handler, method)
            calls[name] = handler
        return handler

    return register


def local(name: str) -> Callable[[Function], Function]:
    """Name a function that ``ctx.on_host(host).run(name, ...)`` runs on that host.

    Arguments and result travel as JSON; a Failure is raised again at the caller.
    """

    def register(function: Function) -> Function:
        local_functions[name] = function
        return function

    return register


def at_start(hook: StartHook) -> StartHook:
    """Run ``hook(ctx, host)`` on the master whenever the toolstack of a host (the master too) has come up."""
    start_hooks.append(hook)
    return hook


def constructor_fields(method: Method) -> dict[str, Any]:
    """The fields a constructor takes, with their defaults (REQUIRED: must be given)."""
    fields = schema().classes[method.cls].fields.values()
    return {field.name: field.default for field in fields if field.kind in ("RW", "constructor")}


def is_constructor(method: Method) -> bool:
    """Whether the method takes its arguments as one struct."""
    return bool(method.parameters) and method.parameters[0].type == "%s record" % method.cls


def _require_arity(handler: Handler, method: Method) -> None:
    wanted = 1 + len(method.parameters)
    positional = [
        parameter
        for parameter in inspect.signature(handler).parameters.values()
        if parameter.kind in (parameter.POSITIONAL_ONLY, parameter.POSITIONAL_OR_KEYWORD)
    ]
    if len(positional) != wanted:
        names = ", ".join(
            parameter.name + ("" if parameter.default is REQUIRED else "=...") for parameter in method.parameters
        )
        raise TypeError("%s takes (ctx, %s)" % (method.name, names))
