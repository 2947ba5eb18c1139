"""SM objects: the drivers of the pool, brought up to date whenever a host's toolstack has started."""

from typing import Any

from lab.xapi import features
from lab.xapi.context import Context
from lab.xapi.registry import at_start, call
from lab.xapi.sm_plugins import EVERYTHING  # noqa: F401 - importing registers the host's side

# Features that a host offers and that the record will get once every host of the pool offers them.
_pending: dict[str, dict[str, dict[str, int]]] = {}


@at_start
def synchronise(ctx: Context, host: str) -> None:
    """Make, update and remove the records for what this host found."""
    found: dict[str, dict[str, Any]] = ctx.on_host(host).run("sm_register")
    in_use = {record["type"] for record in ctx.db.records("SR").values()}
    known = {record["type"]: ref for ref, record in ctx.db.records("SM").items()}
    for sr_type, ref in known.items():
        if sr_type not in found and sr_type not in in_use:
            ctx.db.delete("SM", ref)
    for sr_type, info in found.items():
        if sr_type in known:
            _update(ctx, host, known[sr_type], info)
        else:
            _create(ctx, sr_type, info)


def _described(info: dict[str, Any]) -> dict[str, Any]:
    return {
        "name_label": info["name"],
        "name_description": info["description"],
        "vendor": info["vendor"],
        "copyright": info["copyright"],
        "required_api_version": info["required_api_version"],
        "configuration": info["configuration"],
        "driver_filename": info["driver_filename"],
    }


def _create(ctx: Context, sr_type: str, info: dict[str, Any]) -> None:
    offered = features.parsed(info["capabilities"])
    ctx.db.create(
        "SM",
        type=sr_type,
        version=info["driver_version"],
        features=offered,
        capabilities=list(offered),
        required_cluster_stack=[],
        **_described(info),
    )


def _update(ctx: Context, host: str, ref: str, info: dict[str, Any]) -> None:
    """Features are never taken away; new ones are granted when every host of the pool offers them."""
    granted: dict[str, int] = ctx.db.field("SM", ref, "features")
    offered = features.parsed(info["capabilities"])
    pending = _pending.setdefault(ref, {})
    pending[host] = {name: version for name, version in offered.items() if granted.get(name) != version}
    if set(pending) >= set(ctx.db.refs("host")):
        common = set.intersection(*(set(offer) for offer in pending.values()))
        new = {name: min(offer[name] for offer in pending.values()) for name in sorted(common)}
        granted = {**granted, **new}
    ctx.db.set("SM", ref, features=granted, capabilities=list(granted), **_described(info))


@call("SR.get_supported_types")
def get_supported_types(ctx: Context) -> list[str]:
    """The types that the master has registered."""
    types: list[str] = ctx.on_host(ctx.server.host).run("sm_types")
    return types
