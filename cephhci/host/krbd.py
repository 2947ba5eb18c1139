"""The kernel's own RBD client: the data path of dom0.

The mapping is never made with ``-o exclusive``: with it every snapshot, resize and metadata change from another
client fails with EROFS. Facts in sysfs: Documentation/ABI/testing/sysfs-bus-rbd.
"""

import os
from contextlib import contextmanager
from typing import Iterator, List, Tuple

from cephhci import errors
from cephhci.host.mapper import Mapper, Mapping, Source
from cephhci.layout import place
from cephhci.run import run
from cephhci.target import Target

SYSFS = "/sys"
MAP_SECONDS = 60
BITS = {"layering": 1, "exclusive-lock": 4, "object-map": 8, "fast-diff": 16, "deep-flatten": 32}
# 4.19 knows layering and exclusive-lock of these; the others come with 5.1 and 5.3.
NEEDS = {"object-map": "exclusive-lock", "fast-diff": "object-map"}


def map_argv(target: Target, source: Source, read_only: bool, keyfile: str) -> List[str]:
    """Arguments of `rbd device map`; see rbd(8). The key is in a file, never among the arguments."""
    argv = ["rbd", "device", "map", "%s/%s" % (place(source.pool, source.namespace), source.name)]
    argv += ["--id", target.user]
    if target.monitors:
        argv += ["--conf", "/dev/null", "--mon-host", target.monitors, "--keyfile", keyfile]
    else:
        argv += ["--conf", target.conffile]
    if read_only:
        argv.append("--read-only")
    return argv


def features_of(bits: int) -> Tuple[str, ...]:
    """Names of the features in the kernel's mask that an image may have, without one whose condition is missing."""
    have = {name for name, bit in BITS.items() if bits & bit}
    for name, needed in NEEDS.items():
        if needed not in have:
            have.discard(name)
    return tuple(sorted(have))


class Krbd(Mapper):
    """See Mapper."""

    def __init__(self, sysfs: str = SYSFS) -> None:
        self._sysfs = sysfs

    def features(self) -> Tuple[str, ...]:
        path = "%s/bus/rbd/supported_features" % self._sysfs
        try:
            return features_of(int(_text(path), 16))
        except OSError as error:
            raise errors.MappingFailed(
                what="asking the kernel for its RBD features",
                reason="there is no %s; is the rbd module loaded (modprobe rbd)?" % path,
            ) from error

    def map(self, target: Target, source: Source, read_only: bool) -> Mapping:
        try:
            with _keyfile(target.key) as keyfile:
                run(map_argv(target, source, read_only, keyfile), MAP_SECONDS)
        except errors.CommandFailed as error:
            raise errors.MappingFailed(what="mapping %s" % source.image, reason=str(error)) from error
        for mapping in self.mappings():
            if mapping.source == source and mapping.read_only == read_only:
                return mapping
        raise errors.MappingFailed(
            what="mapping %s" % source.image, reason="rbd reported success but the kernel shows no device"
        )

    def unmap(self, device: str) -> None:
        if not any(mapping.device == device for mapping in self.mappings()):
            return
        try:
            run(["rbd", "device", "unmap", device], MAP_SECONDS)
        except errors.CommandFailed as error:
            raise errors.MappingFailed(what="unmapping %s" % device, reason=str(error)) from error

    def mappings(self) -> List[Mapping]:
        folder = "%s/bus/rbd/devices" % self._sysfs
        if not os.path.isdir(folder):
            return []
        return [mapping for number in sorted(os.listdir(folder)) for mapping in self._mapping(folder, number)]

    def _mapping(self, folder: str, number: str) -> List[Mapping]:
        try:
            snapshot = _text("%s/%s/current_snap" % (folder, number)).strip()
            source = Source(
                _text("%s/%s/pool" % (folder, number)).strip(),
                _text("%s/%s/pool_ns" % (folder, number)).strip(),
                _text("%s/%s/name" % (folder, number)).strip(),
                "" if snapshot == "-" else snapshot,
            )
            client = _text("%s/%s/client_addr" % (folder, number)).strip()
            read_only = _text("%s/block/rbd%s/ro" % (self._sysfs, number)).strip() == "1"
        except FileNotFoundError:
            return []  # unmapped meanwhile
        return [Mapping(source, "/dev/rbd%s" % number, read_only, client)]


@contextmanager
def _keyfile(key: str) -> Iterator[str]:
    """A file that only root can read and that is gone afterwards."""
    import tempfile  # here, because it takes 2 ms to load and every command of the driver would wait for it

    descriptor, path = tempfile.mkstemp(prefix="ceph-key-", dir="/run")
    try:
        with os.fdopen(descriptor, "w", encoding="ascii") as stream:
            stream.write(key)
        yield path
    finally:
        os.unlink(path)


def _text(path: str) -> str:
    with open(path, encoding="utf-8") as stream:
        return stream.read()
