"""A pool of a real cluster, on the librados and librbd bindings."""

import errno
import json
from contextlib import contextmanager
from typing import Any, Dict, Iterable, Iterator, List, Mapping, Optional, Sequence, Tuple, cast

import rados
import rbd

from cephhci import errors
from cephhci.ceph.port import Cluster, Extent, ImageFacts, Pool, Stamped, Usage
from cephhci.ceph.translate import Maker, from_errno, translated
from cephhci.layout import place

PAGE = 1024  # the OSDs return no more omap entries per call (osd_max_omap_entries_per_request)
READ_TRIES = 5
EXCLUSIVE = 1  # LIBRADOS_CREATE_EXCLUSIVE
USER_SNAPSHOT = 0  # RBD_SNAP_NAMESPACE_TYPE_USER
FEATURES = {
    "layering": rbd.RBD_FEATURE_LAYERING,
    "exclusive-lock": rbd.RBD_FEATURE_EXCLUSIVE_LOCK,
    "object-map": rbd.RBD_FEATURE_OBJECT_MAP,
    "fast-diff": rbd.RBD_FEATURE_FAST_DIFF,
    "deep-flatten": rbd.RBD_FEATURE_DEEP_FLATTEN,
}


class RadosPool(Pool):
    """See Pool; made by ``RadosCluster.pool``."""

    def __init__(
        self, cluster: Cluster, handle: "rados.Rados", context: "rados.Ioctx", user: str, namespace: str
    ) -> None:
        self._cluster = cluster
        self._handle = handle
        self._context = context
        self._user = user
        self.name = context.name
        self.namespace = namespace

    def read_all(self, name: str) -> Stamped:
        for _ in range(READ_TRIES):
            versions = set()
            values: Dict[str, bytes] = {}
            last = ""
            while True:
                page = self._read_page(name, last)
                versions.add(page.version)
                values.update(page.values)
                if len(page.values) < PAGE:
                    break
                last = max(page.values)
            if len(versions) == 1:
                return Stamped(values, versions.pop())
        raise errors.Stale(object=name)

    def _read_page(self, name: str, after: str) -> Stamped:
        with self._object_call("reading object %s" % name, name):
            with rados.ReadOpCtx() as operation:
                pairs, _ = self._context.get_omap_vals(operation, after, "", PAGE)
                self._context.operate_read_op(operation, name)
                return Stamped(_values(pairs), self._context.get_last_version())

    def read_keys(self, name: str, keys: Sequence[str]) -> Stamped:
        with self._object_call("reading object %s" % name, name):
            with rados.ReadOpCtx() as operation:
                pairs, _ = self._context.get_omap_vals_by_keys(operation, tuple(keys))
                self._context.operate_read_op(operation, name)
                return Stamped(_values(pairs), self._context.get_last_version())

    def create_object(self, name: str, values: Mapping[str, bytes]) -> None:
        exists = {errno.EEXIST: lambda: errors.ObjectExists(object=name, pool=self.name)}
        with translated("creating object %s" % name, self._user, exists):
            with rados.WriteOpCtx() as operation:
                operation.new(EXCLUSIVE)
                self._context.set_omap(operation, tuple(values.keys()), tuple(values.values()))
                self._context.operate_write_op(operation, name)

    def write_keys(self, name: str, version: int, values: Mapping[str, bytes], remove: Sequence[str]) -> None:
        with self._object_call("writing object %s" % name, name):
            with rados.WriteOpCtx() as operation:
                operation.assert_version(version)
                if values:
                    self._context.set_omap(operation, tuple(values.keys()), tuple(values.values()))
                if remove:
                    self._context.remove_omap_keys(operation, tuple(remove))
                self._context.operate_write_op(operation, name)

    def remove_object(self, name: str, version: int) -> None:
        with self._object_call("removing object %s" % name, name):
            with rados.WriteOpCtx() as operation:
                operation.assert_version(version)
                operation.remove()
                self._context.operate_write_op(operation, name)

    def create_image(self, name: str, size: int, features: Sequence[str], data_pool: str) -> None:
        exists = {errno.EEXIST: lambda: errors.ImageExists(image=name, pool=self.name)}
        with translated("creating image %s" % name, self._user, exists):
            rbd.RBD().create(
                self._context, name, size, old_format=False, features=_bits(features), data_pool=data_pool or None
            )

    def image(self, name: str) -> ImageFacts:
        with self._open_image(name) as image:
            bits = image.features()
            features = tuple(feature for feature, bit in sorted(FEATURES.items()) if bits & bit)
            return ImageFacts(image.id(), image.size(), features)

    def image_id(self, name: str) -> str:
        # Opening the image takes 5 to 10 ms. This object says the same since image format 2, and is what the
        # kernel's client reads to find an image: the length in 32 bits, then the id.
        with translated("reading image %s" % name, self._user, self._missing_image(name)):
            value = bytes(self._context.read("rbd_id." + name))
        return value[4 : 4 + int.from_bytes(value[:4], "little")].decode("ascii")

    def images(self) -> Dict[str, str]:
        with translated("listing images of pool %s" % self.name, self._user):
            return {item["name"]: item["id"] for item in rbd.RBD().list2(self._context)}

    def watchers(self, name: str) -> List[str]:
        with self._open_image(name) as image:
            return sorted({watcher["addr"] for watcher in image.watchers_list()})

    def resize_image(self, name: str, size: int) -> None:
        with self._open_image(name, read_only=False) as image:
            image.resize(size)

    def snapshots(self, name: str) -> Dict[str, int]:
        with self._open_image(name) as image:
            found = [s for s in image.list_snaps() if s.get("namespace", 0) == USER_SNAPSHOT]
            return {s["name"]: s["size"] for s in sorted(found, key=lambda s: int(s["id"]))}

    def create_snapshot(self, name: str, snapshot: str) -> None:
        exists = {errno.EEXIST: lambda: errors.SnapshotExists(image=name, snapshot=snapshot)}
        with self._open_image(name, read_only=False) as image:
            with translated("taking snapshot %s of image %s" % (snapshot, name), self._user, exists):
                image.create_snap(snapshot)

    def remove_snapshot(self, name: str, snapshot: str) -> None:
        with self._open_image(name, read_only=False) as image:
            try:
                image.remove_snap(snapshot)
            except rbd.ImageNotFound:
                pass

    def changes(self, name: str, since: str, until: str, offset: int, length: int, whole: bool) -> List[Extent]:
        found: List[Extent] = []

        def note(start: int, size: int, _: bool) -> None:
            found.append((start, size))

        what = "comparing snapshots of image %s" % name
        with translated(what, self._user, self._missing_image("%s@%s" % (name, until or since))):
            with rbd.Image(self._context, name, snapshot=until or None, read_only=True) as image:
                image.diff_iterate(offset, length, since, note, include_parent=True, whole_object=whole)
        return found

    def clone_image(self, name: str, snapshot: str, clone: str, features: Sequence[str], data_pool: str) -> None:
        known = dict(self._missing_image("%s@%s" % (name, snapshot)))
        known[errno.EEXIST] = lambda: errors.ImageExists(image=clone, pool=self.name)
        with translated("cloning %s@%s" % (name, snapshot), self._user, known):
            rbd.RBD().clone(
                self._context,
                name,
                snapshot,
                self._context,
                clone,
                features=_bits(features),
                data_pool=data_pool or None,
            )

    def trash_image(self, name: str) -> None:
        with translated("trashing image %s" % name, self._user, self._missing_image(name)):
            rbd.RBD().trash_move(self._context, name, 0)

    def trash(self) -> Dict[str, str]:
        with translated("listing the trash of pool %s" % self.name, self._user):
            return {item["id"]: item["name"] for item in rbd.RBD().trash_list(self._context)}

    def purge(self, image_id: str) -> None:
        what = "removing image %s from the trash" % image_id
        spec = "%s/%s" % (place(self.name, self.namespace), image_id)
        request = {"prefix": "rbd task add trash remove", "image_id_spec": spec}
        with translated(what, self._user):
            status, _, reason = self._handle.mgr_command(json.dumps(request), b"")
        # The mgr of 16.2 answers 0 for an image that it removed before, and ENOENT for one that it never knew.
        if status not in (0, -errno.ENOENT):
            raise from_errno(-status, what, self._user, reason)

    def usage(self) -> Usage:
        report = cast(Dict[str, Any], self._cluster.command("df", {"detail": "detail"}))
        for pool in report["pools"]:
            if pool["name"] == self.name:
                stats = pool["stats"]
                return Usage(int(stats["stored"]), int(stats["max_avail"]), int(stats["quota_bytes"]))
        raise errors.PoolMissing(pool=self.name, existing=", ".join(p["name"] for p in report["pools"]))

    @contextmanager
    def _object_call(self, what: str, name: str) -> Iterator[None]:
        stale = lambda: errors.Stale(object=name)  # noqa: E731
        known = {
            errno.ENOENT: lambda: errors.ObjectMissing(object=name, pool=self.name),
            errno.ERANGE: stale,  # the object is newer than what was read
            errno.EOVERFLOW: stale,  # older: it was removed, and perhaps made anew
        }
        with translated(what, self._user, known):
            yield

    @contextmanager
    def _open_image(self, name: str, read_only: bool = True) -> Iterator["rbd.Image"]:
        with translated("opening image %s" % name, self._user, self._missing_image(name)):
            with rbd.Image(self._context, name, read_only=read_only) as image:
                yield image

    def _missing_image(self, name: str) -> Dict[int, Maker]:
        return {errno.ENOENT: lambda: errors.ImageMissing(image=name, pool=self.name)}


def _bits(features: Sequence[str]) -> int:
    return sum(FEATURES[feature] for feature in features)


def _values(pairs: Iterable[Tuple[str, Optional[bytes]]]) -> Dict[str, bytes]:
    # The bindings return None for an empty value.
    return {key: value or b"" for key, value in pairs}
