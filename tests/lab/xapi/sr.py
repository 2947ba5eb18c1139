"""Storage repositories: making, finding, scanning and giving them up."""

import threading
from concurrent.futures import ThreadPoolExecutor

from lab.xapi import driver, features, pbd, secret, tasks
from lab.xapi.context import Context
from lab.xapi.failure import Failure, internal
from lab.xapi.operations import Mark, marked, refresh
from lab.xapi.registry import call
from lab.xapi.values import NULL

SCAN_TRIES = 10
UNKNOWN = -1  # sizes that no driver has reported yet

_scans = threading.Semaphore(32)


@call("SR.create")
def create(
    ctx: Context,
    host: str,
    device_config: dict[str, str],
    physical_size: int,
    name_label: str,
    name_description: str,
    sr_type: str,
    content_type: str,
    shared: bool,
    sm_config: dict[str, str],
) -> str:
    """Make a repository and plug it on its hosts. A failure to plug is not one of the call, as in xapi."""
    config = secret.moved(ctx.db, device_config)
    if shared:
        host = driver.master(ctx)
    sr = introduce(ctx, "", name_label, name_description, sr_type, content_type, shared, sm_config)
    hosts = [host, *(ref for ref in ctx.db.refs("host") if ref != host)] if shared else [host]
    pbds = [pbd.create_on(ctx, sr, each, config) for each in hosts]
    try:
        driver.require_type(ctx, ctx.db.field("SR", sr, "type"), host)
        driver.sr_call(ctx, sr, host, "sr_create", "SR.create", (str(physical_size),))
    except Failure as failure:
        ctx.db.delete("SR", sr)
        for ref in pbds:
            ctx.db.delete("PBD", ref)
        raise driver.unsupported(failure, Failure("SR_OPERATION_NOT_SUPPORTED", sr)) from failure
    config = ctx.db.field("PBD", pbds[0], "device_config")
    for ref in pbds[1:]:  # as in xapi, the copies of the secrets made for these stay behind
        ctx.db.set("PBD", ref, device_config=config)
    with ThreadPoolExecutor(len(pbds)) as pool:
        list(pool.map(lambda ref: _plug(ctx, ref), pbds))
    return sr


def _plug(ctx: Context, ref: str) -> None:
    """Plug in a task of its own; its error is only in that task."""
    task = tasks.create(ctx.db, driver.master(ctx), "Async.PBD.plug", subtask_of=ctx.task)
    inner = Context(ctx.server, ctx.session, ctx.origin, task, "Async.PBD.plug")
    try:
        pbd.plug(inner, ref)
    except Failure as failure:
        tasks.fail(ctx.db, task, failure)
    else:
        tasks.succeed(ctx.db, task, "<value></value>")


@call("SR.introduce")
def introduce(
    ctx: Context,
    uuid: str,
    name_label: str,
    name_description: str,
    sr_type: str,
    content_type: str,
    shared: bool,
    sm_config: dict[str, str],
) -> str:
    """Make the record only."""
    try:
        sr = ctx.db.create(
            "SR",
            uuid=uuid,
            name_label=name_label,
            name_description=name_description,
            type=sr_type.lower(),
            content_type=content_type,
            shared=shared,
            sm_config=sm_config,
            physical_size=UNKNOWN,
            physical_utilisation=UNKNOWN,
        )
    except Failure as failure:
        if failure.code != "UNIQUENESS_CONSTRAINT_VIOLATION":
            raise
        raise Failure("SR_UUID_EXISTS", uuid) from failure
    refresh(ctx.db, "SR", sr)
    return sr


@call("SR.make")
def make(
    ctx: Context,
    host: str,
    device_config: dict[str, str],
    physical_size: int,
    name_label: str,
    name_description: str,
    sr_type: str,
    content_type: str,
    sm_config: dict[str, str],
) -> str:
    """Gone from the API."""
    raise Failure("MESSAGE_DEPRECATED")


@call("SR.probe")
def probe(ctx: Context, host: str, device_config: dict[str, str], sr_type: str, sm_config: dict[str, str]) -> str:
    """The driver's text about what it finds with this device-config."""
    config = secret.moved(ctx.db, device_config)
    sr_type = sr_type.lower()
    driver.require_type(ctx, sr_type, host)
    if "SR_PROBE" not in features.of_type(ctx.db, sr_type):
        text = "Operation 'sr_probe' not supported by this SR type"
        raise Failure("SR_BACKEND_FAILURE", text, "", "")
    return driver.probe(ctx, host, sr_type, config, sm_config)


@call("SR.probe_ext")
def probe_ext(
    ctx: Context, host: str, device_config: dict[str, str], sr_type: str, sm_config: dict[str, str]
) -> list[dict[str, str]]:
    """Drivers of this interface cannot do it; they are called all the same, as in xapi."""
    probe(ctx, host, device_config, sr_type, sm_config)
    raise Failure("SR_OPERATION_NOT_SUPPORTED")


@call("SR.scan")
def scan(ctx: Context, sr: str) -> None:
    """Let the driver bring the records of its disks up to date; again when they changed meanwhile."""
    with marked(ctx, Mark("SR", sr, "scan")):
        host = host_for(ctx, sr)
        with _scans:
            for _ in range(SCAN_TRIES + 1):
                before = set(ctx.db.field("SR", sr, "VDIs"))
                _driver(ctx, sr, host, "sr_scan", "SR.scan")
                _driver(ctx, sr, host, "sr_update", "SR.stat")
                if set(ctx.db.field("SR", sr, "VDIs")) == before:
                    _scanned(ctx, sr)
                    return
    raise internal("SR.scan retry limit exceeded")


def _scanned(ctx: Context, sr: str) -> None:
    total = sum(vdi["virtual_size"] for vdi in ctx.db.where("VDI", SR=sr).values())
    other = {key: value for key, value in ctx.db.field("SR", sr, "other_config").items() if key != "dirty"}
    ctx.db.set("SR", sr, virtual_allocation=total, other_config=other, clustered=False)


@call("SR.update")
def update(ctx: Context, sr: str) -> None:
    """Let the driver refresh the sizes."""
    _driver(ctx, sr, host_for(ctx, sr), "sr_update", "SR.stat")


def _driver(ctx: Context, sr: str, host: str, command: str, label: str) -> None:
    try:
        driver.sr_call(ctx, sr, host, command, label)
    except Failure as failure:
        raise driver.unsupported(failure, Failure("SR_OPERATION_NOT_SUPPORTED", sr)) from failure


@call("SR.destroy")
def destroy(ctx: Context, sr: str) -> None:
    """Remove the repository itself and its records. The driver gets no sr_detach when it works."""
    with marked(ctx, Mark("SR", sr, "destroy")):
        _require_unplugged(ctx, sr)
        if ctx.db.field("SR", sr, "other_config").get("indestructible") == "true":
            raise Failure("SR_INDESTRUCTIBLE", sr)
        host = host_for(ctx, sr, plugged=False)
        ref, _ = driver.pbd_on(ctx, sr, host)
        driver.require_type(ctx, ctx.db.field("SR", sr, "type"), host)
        driver.sr_call(ctx, sr, host, "sr_attach", "SR.attach")
        ctx.db.set("PBD", ref, currently_attached=True)
        try:
            _driver(ctx, sr, host, "sr_delete", "SR.destroy")
        except Failure:
            driver.sr_call(ctx, sr, host, "sr_detach", "SR.detach")
            raise
        finally:
            ctx.db.set("PBD", ref, currently_attached=False)
        secret.removed(ctx.db, ctx.db.field("SR", sr, "sm_config"))
        _drop(ctx, sr)


@call("SR.forget")
def forget(ctx: Context, sr: str) -> None:
    """Remove the records only."""
    with marked(ctx, Mark("SR", sr, "forget")):
        _require_unplugged(ctx, sr)
        _drop(ctx, sr)


def _require_unplugged(ctx: Context, sr: str) -> None:
    if ctx.db.where("PBD", SR=sr, currently_attached=True):
        raise Failure("SR_HAS_PBD", sr)


def _drop(ctx: Context, sr: str) -> None:
    for ref in ctx.db.field("SR", sr, "PBDs"):
        pbd.drop(ctx, ref)
    for vdi in ctx.db.field("SR", sr, "VDIs"):
        ctx.db.delete("VDI", vdi)
    ctx.db.delete("SR", sr)


def host_for(ctx: Context, sr: str, plugged: bool = True) -> str:
    """The host that runs an operation: the master for a shared repository. Raises SR_NO_PBDS."""
    hosts = [
        record["host"] for record in ctx.db.where("PBD", SR=sr).values() if record["currently_attached"] or not plugged
    ]
    if ctx.db.field("SR", sr, "shared"):
        hosts = [host for host in hosts if host == driver.master(ctx)]
    if not hosts:
        raise Failure("SR_NO_PBDS", sr)
    return str(hosts[0])


@call("SR.set_name_label")
def set_name_label(ctx: Context, sr: str, value: str) -> None:
    """Rename; a record is enough, but the repository must be plugged."""
    host_for(ctx, sr)
    ctx.db.set("SR", sr, name_label=value)


@call("SR.set_name_description")
def set_name_description(ctx: Context, sr: str, value: str) -> None:
    """Describe; a record is enough, but the repository must be plugged."""
    host_for(ctx, sr)
    ctx.db.set("SR", sr, name_description=value)


@call("SR.set_shared")
def set_shared(ctx: Context, sr: str, value: bool) -> None:
    """Not to unshared while several hosts are connected."""
    pbds = ctx.db.field("SR", sr, "PBDs")
    if not value and len(pbds) > 1:
        raise Failure("SR_HAS_MULTIPLE_PBDS", *pbds)
    ctx.db.set("SR", sr, shared=value)


@call("SR.assert_can_host_ha_statefile")
def assert_can_host_ha_statefile(ctx: Context, sr: str) -> None:
    """The driver must be able to attach without xapi."""
    if "VDI_GENERATE_CONFIG" not in features.of_sr(ctx.db, sr):
        raise Failure("SR_OPERATION_NOT_SUPPORTED", sr)
    if not ctx.db.field("SR", sr, "shared") or ctx.db.field("SR", sr, "introduced_by") != NULL:
        raise Failure("HA_CONSTRAINT_VIOLATION_SR_NOT_SHARED", sr)
