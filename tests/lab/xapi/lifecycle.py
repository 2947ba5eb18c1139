"""What follows the start of a host's toolstack."""

import logging

from lab.xapi import registry
from lab.xapi.context import Context
from lab.xapi.values import NULL

LOG = logging.getLogger("xapi")


def host_started(ctx: Context, host: str, booted: bool) -> None:
    """Bring a host's records up to date after its toolstack (``booted``: the host itself) has started.

    ``host.enabled`` comes last: it says that the storage is plugged and the host ready for VMs.
    """
    if booted:
        ctx.db.set("host", host, enabled=False)
        _forget_what_ran(ctx, host)
    ctx.db.set("host_metrics", ctx.db.field("host", host, "metrics"), live=True)
    for hook in registry.start_hooks:
        try:
            hook(ctx, host)
        except Exception:  # a hook that fails is that class's trouble; the host is up all the same
            LOG.exception("start of %s: %s", host, hook.__name__)
    ctx.db.set("host", host, enabled=True)


def _forget_what_ran(ctx: Context, host: str) -> None:
    """A boot leaves no storage attached and no guest running."""
    for pbd in ctx.db.where("PBD", host=host, currently_attached=True):
        ctx.db.set("PBD", pbd, currently_attached=False)
    for vm, record in ctx.db.where("VM", resident_on=host).items():
        for vbd in ctx.db.where("VBD", VM=vm, currently_attached=True):
            ctx.db.set("VBD", vbd, currently_attached=False)
        if not record["is_control_domain"]:
            ctx.db.set("VM", vm, power_state="Halted", resident_on=NULL, domid=-1)
