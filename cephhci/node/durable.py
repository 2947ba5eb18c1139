"""Files that survive a power loss: whole and on disk, or not there at all."""

import contextlib
import os
import shutil
from typing import NamedTuple, Optional

from cephhci.node.errors import StateUnusable


class Owner(NamedTuple):
    """The user that the daemons run as."""

    uid: int
    gid: int


def write(path: str, text: str, mode: int, owner: Optional[Owner] = None) -> None:
    """Replace the file at ``path`` atomically, synced together with its directory. Raises StateUnusable."""
    making = path + ".new"
    try:
        descriptor = os.open(making, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        with open(descriptor, "w", encoding="utf-8") as stream:
            stream.write(text)
            stream.flush()
            os.fchmod(descriptor, mode)
            if owner:
                os.fchown(descriptor, owner.uid, owner.gid)
            os.fsync(descriptor)
        os.rename(making, path)
        sync(os.path.dirname(path))
    except OSError as error:
        raise StateUnusable(path=path, reason=error.strerror) from error


def read(path: str) -> Optional[str]:
    """The file's text, or None when there is no such file. Raises StateUnusable."""
    try:
        with open(path, encoding="utf-8") as stream:
            return stream.read()
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError) as error:
        raise StateUnusable(path=path, reason=str(error)) from error


def directory(path: str, mode: int, owner: Optional[Owner] = None) -> None:
    """Make the directory, and the missing ones above it (0755), unless it is there. Raises StateUnusable."""
    try:
        os.makedirs(os.path.dirname(path), mode=0o755, exist_ok=True)
        with contextlib.suppress(FileExistsError):
            os.mkdir(path, mode)
        os.chmod(path, mode)
        if owner:
            os.chown(path, owner.uid, owner.gid)
    except OSError as error:
        raise StateUnusable(path=path, reason=error.strerror) from error


def remove_tree(path: str) -> None:
    """Remove the directory and all in it, if it is there. Raises StateUnusable."""
    try:
        shutil.rmtree(path)
    except FileNotFoundError:
        pass
    except OSError as error:
        raise StateUnusable(path=path, reason=error.strerror) from error


def move_into_place(source: str, target: str) -> None:
    """Sync the whole tree ``source``, then give it its final name. Raises StateUnusable."""
    try:
        for folder, _, files in os.walk(source):
            for name in files:
                sync(os.path.join(folder, name))
            sync(folder)
        os.rename(source, target)
        sync(os.path.dirname(target))
    except OSError as error:
        raise StateUnusable(path=target, reason=error.strerror) from error


def sync(path: str) -> None:
    """Wait until the file or directory is on stable storage."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
