"""The names below which SM makes a disk known on a host; part of blktap2."""

import grp
import os
import stat
from typing import Any, Tuple

import util


class Link:
    """A name below BASEDIR for something whose real name is not known beforehand."""

    BASEDIR = ""

    def __init__(self, path: str) -> None:
        self._path = path

    @classmethod
    def from_uuid(cls, sr_uuid: str, vdi_uuid: str) -> Any:
        return cls("%s/%s/%s" % (cls.BASEDIR, sr_uuid, vdi_uuid))

    def path(self) -> str:
        return self._path

    def mklink(self, target: str) -> None:
        """Make it; one that exists must lead to the same target."""
        util.SMlog("%s(%s) -> %s" % (type(self).__name__, self._path, target))
        os.makedirs(os.path.dirname(self._path), exist_ok=True)
        try:
            self._mklink(target)
        except FileExistsError:
            assert self._equals(target), "'%s' not equal to '%s'" % (self._path, target)

    def unlink(self) -> None:
        if os.path.lexists(self._path):
            os.unlink(self._path)

    def _mklink(self, target: str) -> None:
        os.symlink(target, self._path)

    def _equals(self, target: str) -> bool:
        return os.readlink(self._path) == target

    def readlink(self) -> str:
        return os.readlink(self._path)


class NotABlockDevice(Exception):
    """A backend link that leads to no block device."""


class PhyLink(Link):
    """To what the driver's attach answered; tapdisk is started on its target, not on the link."""

    BASEDIR = "/dev/sm/phy"


class NBDLink(Link):
    """To the NBD socket of the tapdisk."""

    BASEDIR = "/run/blktap-control/nbd"


class BackendLink(Link):
    """A block device node with the numbers of the tapdisk's; a symlink for what is no block device."""

    BASEDIR = "/dev/sm/backend"

    def _mklink(self, target: str) -> None:
        found = os.stat(os.path.realpath(target))
        if not stat.S_ISBLK(found.st_mode):
            os.symlink(target, self._path)
            return
        os.mknod(self._path, found.st_mode | stat.S_IRGRP, found.st_rdev)
        os.chown(self._path, found.st_uid, grp.getgrnam("disk").gr_gid)

    def _equals(self, target: str) -> bool:
        return os.stat(self._path).st_rdev == os.stat(os.path.realpath(target)).st_rdev

    def rdev(self) -> Tuple[int, int]:
        """Major and minor."""
        found = os.stat(self._path)
        if not stat.S_ISBLK(found.st_mode):
            raise NotABlockDevice(self._path)
        return os.major(found.st_rdev), os.minor(found.st_rdev)
