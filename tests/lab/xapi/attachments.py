"""What a host has attached: its own book, which outlives the toolstack but not a boot."""

import json
import os
import threading

from lab.xapi.context import Context
from lab.xapi.paths import PATHS
from lab.xapi.registry import local

_lock = threading.Lock()

Book = dict[str, dict[str, str]]  # disk -> user of the disk -> "RO" or "RW"


def _read() -> Book:
    try:
        with open(PATHS.attachments, encoding="utf-8") as source:
            book: Book = json.load(source)
            return book
    except FileNotFoundError:
        return {}


def _write(book: Book) -> None:
    os.makedirs(os.path.dirname(PATHS.attachments), exist_ok=True)
    temporary = PATHS.attachments + ".new"
    with open(temporary, "w", encoding="utf-8") as out:
        json.dump(book, out)
    os.replace(temporary, PATHS.attachments)


@local("attachments_enter")
def enter(vdi: str, user: str, mode: str) -> None:
    """Note that a disk is attached for a user."""
    with _lock:
        book = _read()
        book.setdefault(vdi, {})[user] = mode
        _write(book)


@local("attachments_leave")
def leave(vdi: str, user: str) -> None:
    """Note that a user no longer has a disk."""
    with _lock:
        book = _read()
        book.get(vdi, {}).pop(user, None)
        _write({disk: users for disk, users in book.items() if users})


@local("attachments_held")
def all_held() -> list[str]:
    """The disks that are attached."""
    with _lock:
        return list(_read())


def held(ctx: Context, host: str) -> list[str]:
    """The disks that a host has attached."""
    disks: list[str] = ctx.on_host(host).run("attachments_held")
    return disks
