"""The twin in memory: a cluster as RadosCluster shows it, for tests of everything above the adapters.

It obeys the same contract test as the real adapter. What only tests do (filling the pool, opening an image as
another client) has methods of its own, below the port's.
"""

from typing import Dict, List, Mapping, Optional, Sequence, Set, Tuple

from cephhci import errors
from cephhci.ceph.port import Cluster, Extent, ImageFacts, Pool, Stamped, Usage

CAPACITY = 1 << 40
OBJECT = 4 << 20


class MemoryObject:
    """An object's omap and its version."""

    def __init__(self, values: Mapping[str, bytes], version: int) -> None:
        self.values = dict(values)
        self.version = version


class MemoryImage:
    """An image's header and the clients that have it open."""

    def __init__(self, id: str, size: int, features: Tuple[str, ...]) -> None:
        self.facts = ImageFacts(id, size, features)
        self.clients: Set[str] = set()
        self.snapshots: Dict[str, int] = {}
        self.written: List[Tuple[int, int, Tuple[str, ...]]] = []  # offset, length, snapshots taken before
        self.parent = ""  # id of the image that this is a clone of


class MemoryPool(Pool):
    """See Pool."""

    def __init__(self, name: str, namespace: str) -> None:
        self.name = name
        self.namespace = namespace
        self.quota = 0
        self._objects: Dict[str, MemoryObject] = {}
        self._images: Dict[str, MemoryImage] = {}
        self._trash: Dict[str, str] = {}
        self._parents: Dict[str, str] = {}  # of the images in the trash
        self._tasks: Set[str] = set()
        self._versions = 0
        self._ids = 0

    def read_all(self, name: str) -> Stamped:
        found = self._object(name)
        return Stamped(dict(found.values), found.version)

    def read_keys(self, name: str, keys: Sequence[str]) -> Stamped:
        found = self._object(name)
        return Stamped({key: found.values[key] for key in keys if key in found.values}, found.version)

    def create_object(self, name: str, values: Mapping[str, bytes]) -> None:
        if name in self._objects:
            raise errors.ObjectExists(object=name, pool=self.name)
        self._objects[name] = MemoryObject(values, self._next_version())

    def write_keys(self, name: str, version: int, values: Mapping[str, bytes], remove: Sequence[str]) -> None:
        found = self._unchanged(name, version)
        found.values.update(values)
        for key in remove:
            found.values.pop(key, None)
        found.version = self._next_version()

    def remove_object(self, name: str, version: int) -> None:
        self._unchanged(name, version)
        del self._objects[name]

    def create_image(self, name: str, size: int, features: Sequence[str], data_pool: str) -> None:
        if name in self._images:
            raise errors.ImageExists(image=name, pool=self.name)
        self._ids += 1
        self._images[name] = MemoryImage("%012x" % self._ids, size, tuple(sorted(features)))

    def image(self, name: str) -> ImageFacts:
        return self._image(name).facts

    def image_id(self, name: str) -> str:
        return self._image(name).facts.id

    def images(self) -> Dict[str, str]:
        return {name: image.facts.id for name, image in self._images.items()}

    def watchers(self, name: str) -> List[str]:
        return sorted(self._image(name).clients)

    def resize_image(self, name: str, size: int) -> None:
        found = self._image(name)
        found.facts = found.facts._replace(size=size)

    def snapshots(self, name: str) -> Dict[str, int]:
        return dict(self._image(name).snapshots)

    def create_snapshot(self, name: str, snapshot: str) -> None:
        found = self._image(name)
        if snapshot in found.snapshots:
            raise errors.SnapshotExists(image=name, snapshot=snapshot)
        found.snapshots[snapshot] = found.facts.size

    def remove_snapshot(self, name: str, snapshot: str) -> None:
        self._image(name).snapshots.pop(snapshot, None)

    def changes(self, name: str, since: str, until: str, offset: int, length: int, whole: bool) -> List[Extent]:
        found = self._image(name)
        for snapshot in (since, until):
            if snapshot and snapshot not in found.snapshots:
                raise errors.ImageMissing(image="%s@%s" % (name, snapshot), pool=self.name)
        extents = []
        for start, size, before in found.written:
            if since not in before or (until and until in before):
                continue
            if whole:
                start, size = start // OBJECT * OBJECT, -(-(start % OBJECT + size) // OBJECT) * OBJECT
            first, last = max(start, offset), min(start + size, offset + length)
            if first < last:
                extents.append((first, last - first))
        return extents

    def clone_image(self, name: str, snapshot: str, clone: str, features: Sequence[str], data_pool: str) -> None:
        origin = self._image(name)
        if snapshot not in origin.snapshots:
            raise errors.ImageMissing(image="%s@%s" % (name, snapshot), pool=self.name)
        self.create_image(clone, origin.snapshots[snapshot], features, data_pool)
        self._images[clone].parent = origin.facts.id

    def trash_image(self, name: str) -> None:
        found = self._image(name)
        del self._images[name]
        self._trash[found.facts.id] = name
        self._parents[found.facts.id] = found.parent

    def trash(self) -> Dict[str, str]:
        return dict(self._trash)

    def purge(self, image_id: str) -> None:
        # A task for an image that still has clones waits in the cluster until they are gone.
        if image_id in self._trash:
            self._tasks.add(image_id)
        while True:
            needed = {image.parent for image in self._images.values()}
            needed |= {self._parents[found] for found in self._trash}
            ready = [task for task in self._tasks if task not in needed]
            if not ready:
                return
            for task in ready:
                self._tasks.discard(task)
                self._trash.pop(task, None)
                self._parents.pop(task, None)

    def usage(self) -> Usage:
        stored = sum(len(v) for found in self._objects.values() for v in found.values.values())
        return Usage(stored, CAPACITY - stored, self.quota)

    def write(self, name: str, offset: int, length: int) -> None:
        """Have somebody write to an image."""
        found = self._image(name)
        found.written.append((offset, length, tuple(found.snapshots)))

    def open_as(self, name: str, client: str) -> None:
        """Have ``client`` open an image for writing."""
        self._image(name).clients.add(client)

    def close_as(self, name: str, client: str) -> None:
        """Have ``client`` close an image."""
        self._image(name).clients.discard(client)

    def drop(self, client: str) -> None:
        """Forget a client everywhere, as the cluster does with a fenced one."""
        for image in self._images.values():
            image.clients.discard(client)

    def _next_version(self) -> int:
        self._versions += 1
        return self._versions

    def _object(self, name: str) -> MemoryObject:
        if name not in self._objects:
            raise errors.ObjectMissing(object=name, pool=self.name)
        return self._objects[name]

    def _unchanged(self, name: str, version: int) -> MemoryObject:
        found = self._objects.get(name)
        if found is None or found.version != version:
            raise errors.Stale(object=name)
        return found

    def _image(self, name: str) -> MemoryImage:
        if name not in self._images:
            raise errors.ImageMissing(image=name, pool=self.name)
        return self._images[name]


class MemoryCluster(Cluster):
    """See Cluster."""

    def __init__(self, pools: Sequence[str] = ("xcp",)) -> None:
        self._pools = {(name, ""): MemoryPool(name, "") for name in pools}
        self.fenced: List[str] = []

    def fsid(self) -> str:
        return "00000000-0000-4000-8000-000000000000"

    def command(self, prefix: str, arguments: Optional[Mapping[str, object]] = None) -> object:
        if prefix == "health":
            return {"status": "HEALTH_OK", "checks": {}}
        raise errors.CephFailed(what=prefix, number=22, reason="invalid command")

    def pools(self) -> List[str]:
        return sorted({name for name, _ in self._pools})

    def pool(self, name: str, namespace: str = "") -> MemoryPool:
        if name not in self.pools():
            raise errors.PoolMissing(pool=name, existing=", ".join(self.pools()) or "none")
        if (name, namespace) not in self._pools:
            raise errors.NamespaceMissing(pool=name, namespace=namespace)
        return self._pools[name, namespace]

    def namespaces(self, pool: str) -> List[str]:
        self.pool(pool)
        return sorted(namespace for name, namespace in self._pools if name == pool and namespace)

    def fence(self, client: str) -> None:
        self.fenced.append(client)
        for pool in self._pools.values():
            pool.drop(client)

    def close(self) -> None:
        pass

    def add_namespace(self, pool: str, namespace: str) -> None:
        """Make an RBD namespace."""
        self._pools[pool, namespace] = MemoryPool(pool, namespace)
