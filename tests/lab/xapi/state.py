"""The database on disk: written behind the changes, read at start."""

import json
import logging
import threading
from pathlib import Path
from typing import Any

from lab.xapi import config
from lab.xapi.database import Database
from lab.xapi.schema import schema
from lab.xapi.values import Date

LOG = logging.getLogger("xapi")
VOLATILE = ("session", "task")  # as in xapi, these do not outlive its process
INTERVAL = 2.0  # seconds between writes, as in xapi


def load(path: Path) -> Database:
    """The database in a file."""
    document = json.loads(path.read_text(encoding="utf-8"))
    db = Database(schema())
    db.generation = document["generation"]
    dates = {
        name: [field.name for field in cls.fields.values() if field.type == "datetime"]
        for name, cls in schema().classes.items()
    }
    for cls, table in document["tables"].items():
        for row in table.values():
            row.update({name: Date(row[name]) for name in dates[cls]})
    db.load(document["tables"])
    return db


def save(db: Database, path: Path) -> None:
    """Write the database as a whole."""
    with db.lock:
        document: dict[str, Any] = {"generation": db.generation}
        document["tables"] = {cls: rows for cls, rows in db.raw().items() if cls not in VOLATILE}
    config.write_file(path, json.dumps(document, ensure_ascii=False), 0o600)


class Writer:
    """Keeps the file up to date in the background."""

    def __init__(self, db: Database, path: Path) -> None:
        self._db, self._path = db, path
        self._stopped = threading.Event()
        self._written = 0
        self._thread = threading.Thread(target=self._run, name="state writer", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self, save_last: bool = True) -> None:
        """Write what is left, and end."""
        self._stopped.set()
        self._thread.join(timeout=30)
        if save_last:
            self._write()

    def _run(self) -> None:
        while not self._stopped.wait(INTERVAL):
            self._write()

    def _write(self) -> None:
        generation = self._db.generation
        if generation != self._written:
            save(self._db, self._path)
            self._written = generation
