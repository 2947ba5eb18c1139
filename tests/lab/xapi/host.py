"""Hosts: plugins, taking VMs or not, and what a host says about itself."""

from lab.xapi.context import Context
from lab.xapi.registry import call
from lab.xapi.schema import schema
from lab.xapi.values import Date, now


@call("host.call_plugin")
def call_plugin(ctx: Context, host: str, plugin: str, function: str, args: dict[str, str]) -> str:
    """Run a function of a plugin on a host, with the caller's session."""
    ctx.db.get("host", host)
    return str(ctx.on_host(host).call_plugin(plugin, function, ctx.session.ref, args))


@call("host.disable")
def disable(ctx: Context, host: str, auto_enable: bool) -> None:
    """Start no more VMs on a host."""
    ctx.db.set("host", host, enabled=False)


@call("host.enable")
def enable(ctx: Context, host: str) -> None:
    """Start VMs on a host."""
    ctx.db.set("host", host, enabled=True)


@call("host.get_servertime")
def get_servertime(ctx: Context, host: str) -> Date:
    """The time there."""
    ctx.db.get("host", host)
    return now()


@call("host.list_methods")
def list_methods(ctx: Context) -> list[str]:
    """Every method of the API."""
    return list(schema().method_names)
