"""Runs the driver as a program and writes down where its time goes: calls of Ceph, of XAPI, and our own work.

    python3 -m benchmarks.trace REPORT DRIVER ARGUMENT

The report is JSON: {what: [calls, seconds]}; time inside a nested call counts for that call only.
"""

import functools
import inspect
import json
import os
import runpy
import sys
import time
import xmlrpc.client
from pathlib import Path
from typing import Any

Call = Any


class Account:
    """Seconds and numbers of calls, by name."""

    def __init__(self) -> None:
        self.totals: dict[str, list[float]] = {}
        self._inner = [0.0]

    def wrap(self, name: str, call: Call, argument: int | None = None) -> Call:
        """``call``, accounted for as ``name``, or as ``name`` and one of its arguments."""

        @functools.wraps(call)
        def wrapper(*args: Any, **kwargs: Any) -> Any:
            begun = time.perf_counter()
            self._inner.append(0.0)
            try:
                return call(*args, **kwargs)
            finally:
                seconds = time.perf_counter() - begun
                total = self.totals.setdefault(name if argument is None else "%s %s" % (name, args[argument]), [0, 0.0])
                total[0] += 1
                total[1] += seconds - self._inner.pop()
                self._inner[-1] += seconds

        return wrapper


def main(report: str, driver: str, argument: str) -> None:
    """Run the driver, then write the report."""
    account = Account()
    sys.argv = [driver, argument]
    sys.path.insert(0, str(Path(driver).resolve().parent))
    _instrument(account)
    leave = os._exit

    def write_and_leave(status: int) -> None:
        Path(report).write_text(json.dumps(account.totals), "utf-8")
        leave(status)

    os._exit = write_and_leave  # type: ignore[assignment]  # the driver ends itself so
    runpy.run_path(driver, run_name="__main__")


def _instrument(account: Account) -> None:
    from cephhci import sync
    from cephhci.ceph import cluster, pool
    from cephhci.storage import index
    from cephhci.xapi import bulk

    for cls in (pool.RadosPool, cluster.RadosCluster):
        for name, method in inspect.getmembers(cls, inspect.isfunction):
            if not name.startswith("_"):
                setattr(cls, name, account.wrap("Ceph " + name, method))
    for module, name in ((sync, "mark"), (sync, "plan"), (sync, "rows_of"), (index, "read_contents")):
        setattr(module, name, account.wrap("own " + name, getattr(module, name)))
    cluster.connect = account.wrap("Ceph connect", cluster.connect)
    bulk.disk_records = account.wrap("XAPI VDI.get_all_records_where (JSON)", bulk.disk_records)
    hidden = "_ServerProxy__request"
    setattr(xmlrpc.client.ServerProxy, hidden, account.wrap("XAPI", getattr(xmlrpc.client.ServerProxy, hidden), 1))


if __name__ == "__main__":
    main(*sys.argv[1:])
