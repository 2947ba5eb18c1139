"""Which hosts are alive, from their heartbeats: host_metrics.live, without HA."""

import threading
import time

from lab.xapi.database import Database


class Liveness:
    """On the master: notes heartbeats, and marks members dead that have been silent for too long."""

    def __init__(self, db: Database, master: str, interval: float, silence: float) -> None:
        self._db, self._master = db, master
        self._interval, self._silence = interval, silence  # seconds
        self._heard: dict[str, float] = {}
        self._started = time.monotonic()

    def start(self, stopped: threading.Event) -> None:
        """Look at the hosts from time to time, until ``stopped``."""
        threading.Thread(target=self._run, args=(stopped,), name="liveness", daemon=True).start()

    def heard(self, host: str) -> None:
        """A member has given a sign of life."""
        self._heard[host] = time.monotonic()
        self._mark(host, True)

    def _run(self, stopped: threading.Event) -> None:
        while not stopped.wait(self._interval):
            for host in self._db.refs("host"):
                # A member that this process never heard may still be on its way.
                last = self._heard.get(host, self._started)
                if host != self._master and time.monotonic() - last > self._silence:
                    self._mark(host, False)

    def _mark(self, host: str, live: bool) -> None:
        with self._db.lock:
            metrics = self._db.field("host", host, "metrics")
            if self._db.field("host_metrics", metrics, "live") != live:
                self._db.set("host_metrics", metrics, live=live)
