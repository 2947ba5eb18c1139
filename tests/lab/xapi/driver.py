"""Calls of a storage driver on a host, with the parameters and the session that xapi gives them."""

import threading
import uuid as uuids
from collections import defaultdict
from typing import Any

from lab.xapi import sm_exec
from lab.xapi.context import Context
from lab.xapi.failure import Failure
from lab.xapi.values import NULL

# sr_attach, sr_detach and sr_probe share one lock per host for all repositories.
_one_at_a_time: defaultdict[str, threading.Lock] = defaultdict(threading.Lock)


def dummy_ref(label: str) -> str:
    """A reference to a task that is in no database, as xapi makes them for its own steps."""
    return f"DummyRef:|{uuids.uuid4()}|{label}"


def master(ctx: Context) -> str:
    """The pool's master."""
    return str(next(iter(ctx.db.records("pool").values()))["master"])


def is_sr_master(ctx: Context, sr: str, host: str) -> bool:
    """Whether a host is the one that may change a repository: the pool's master when it is shared."""
    return not ctx.db.field("SR", sr, "shared") or host == master(ctx)


def pbd_on(ctx: Context, sr: str, host: str) -> tuple[str, dict[str, Any]]:
    """The connection of a repository to a host. Raises SR_NO_PBDS."""
    for item in ctx.db.where("PBD", SR=sr, host=host).items():
        return item
    raise Failure("SR_NO_PBDS", sr)


def require_type(ctx: Context, sr_type: str, host: str) -> None:
    """SR_UNKNOWN_DRIVER unless the host has registered a driver of this type."""
    if sr_type not in ctx.on_host(host).run("sm_types"):
        raise Failure("SR_UNKNOWN_DRIVER", sr_type)


def path_of(ctx: Context, sr_type: str) -> str:
    """The program of a type of repository. Raises SR_UNKNOWN_DRIVER."""
    for record in ctx.db.where("SM", type=sr_type).values():
        return str(record["driver_filename"])
    raise Failure("SR_UNKNOWN_DRIVER", sr_type)


def probe(ctx: Context, host: str, sr_type: str, config: dict[str, str], sm_config: dict[str, str]) -> str:
    """sr_probe: the only call about a repository that need not exist."""
    params = {
        "host_ref": host,
        "device_config": {"SRmaster": "true", **config},
        "sr_sm_config": sm_config,
        "subtask_of": dummy_ref("SR.probe"),
    }
    with _one_at_a_time[host]:
        return str(_execute(ctx, host, path_of(ctx, sr_type), "sr_probe", None, params))


def sr_call(
    ctx: Context, sr: str, host: str, command: str, label: str, args: tuple[str, ...] = (), **extra: Any
) -> Any:
    """A call about a repository; ``label`` is the name of the step that its task reference carries."""
    _, pbd = pbd_on(ctx, sr, host)
    master_flag = command == "sr_create" or is_sr_master(ctx, sr, host)
    record = ctx.db.get("SR", sr)
    params = {
        "host_ref": host,
        "args": list(args),
        "device_config": {"SRmaster": str(master_flag).lower(), **pbd["device_config"]},
        "sr_ref": sr,
        "sr_uuid": record["uuid"],
        "subtask_of": dummy_ref(label),
        **_local_cache(ctx, host),
        **extra,
    }
    path = path_of(ctx, record["type"])
    if command in ("sr_attach", "sr_detach"):
        with _one_at_a_time[host]:
            return _execute(ctx, host, path, command, sr, params)
    return _execute(ctx, host, path, command, sr, params)


def vdi_call(
    ctx: Context, vdi: str, host: str, command: str, label: str, args: tuple[str, ...] = (), **extra: Any
) -> Any:
    """A call about a disk that exists."""
    record = ctx.db.get("VDI", vdi)
    return sr_call(
        ctx,
        record["SR"],
        host,
        command,
        label,
        args,
        vdi_ref=vdi,
        vdi_location=record["location"],
        vdi_uuid=record["uuid"],
        vdi_on_boot=record["on_boot"],
        vdi_allow_caching=str(record["allow_caching"]).lower(),
        **extra,
    )


def _local_cache(ctx: Context, host: str) -> dict[str, str]:
    cache = ctx.db.field("host", host, "local_cache_sr")
    if cache == NULL or not ctx.db.exists("SR", cache):
        return {}
    return {"local_cache_sr": str(ctx.db.field("SR", cache, "uuid"))}


def _execute(ctx: Context, host: str, path: str, command: str, sr: str | None, params: dict[str, Any]) -> Any:
    return ctx.as_driver(
        sr,
        lambda session: ctx.on_host(host).exec_sm(path, command, {**params, "session_ref": session}),
        host,
    )


def unsupported(failure: Failure, replacement: Failure) -> Failure:
    """``replacement`` when the driver does not implement the call, else the failure itself."""
    return replacement if sm_exec.is_not_implemented(failure) else failure
