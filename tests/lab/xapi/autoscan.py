"""Scans that nobody asks for: of repositories with ``auto-scan`` or, once, with ``dirty`` in other_config."""

import logging
import threading

from lab.xapi.context import Context
from lab.xapi.failure import Failure
from lab.xapi.registry import at_start

LOG = logging.getLogger("xapi")
INTERVAL = 30.0  # seconds, unless the master's other_config says otherwise
AUTO, DIRTY, INTERVAL_KEY = "auto-scan", "dirty", "auto-scan-interval"

_scanning: set[str] = set()
_lock = threading.Lock()


@at_start
def start(ctx: Context, host: str) -> None:
    """Begin, on the master."""
    if host == ctx.server.host:
        threading.Thread(target=_run, args=(ctx,), name="scanning_thread", daemon=True).start()


def _run(ctx: Context) -> None:
    while not ctx.server.stopped.wait(_interval(ctx)):
        scan_all(ctx)


def _interval(ctx: Context) -> float:
    try:
        return float(ctx.db.field("host", ctx.server.host, "other_config")[INTERVAL_KEY])
    except (KeyError, ValueError):
        return INTERVAL


def due(ctx: Context) -> list[str]:
    """The plugged repositories that are to be scanned now."""
    plugged = {record["SR"] for record in ctx.db.where("PBD", currently_attached=True).values()}
    return [
        sr
        for sr, record in ctx.db.records("SR").items()
        if sr in plugged and (record["other_config"].get(AUTO) == "true" or DIRTY in record["other_config"])
    ]


def scan_all(ctx: Context) -> None:
    """Start a scan of each that is due and not being scanned already."""
    for sr in due(ctx):
        with _lock:
            if sr in _scanning:
                continue
            _scanning.add(sr)
        threading.Thread(target=_scan, args=(ctx, sr), name="autoscan", daemon=True).start()


def _scan(ctx: Context, sr: str) -> None:
    try:
        ctx.call("SR.scan", sr)
    except Failure as failure:
        LOG.info("automatic scan of %s: %s", sr, failure.description)
    finally:
        with _lock:
            _scanning.discard(sr)
