"""What the rest of the package may ask of a Ceph cluster.

Implemented by ``cluster.RadosCluster`` / ``pool.RadosPool`` and by ``memory``; one contract test runs over both.
Everything here stays within the librados and librbd bindings of Nautilus 14.2, the likely ones in dom0.
"""

from abc import ABC, abstractmethod
from typing import Dict, List, Mapping, NamedTuple, Optional, Sequence, Tuple

Extent = Tuple[int, int]  # offset and length in bytes


class Stamped(NamedTuple):
    """Values of an object together with the version they were read at."""

    values: Dict[str, bytes]
    version: int


class ImageFacts(NamedTuple):
    """An image as its header describes it; ``size`` in bytes."""

    id: str
    size: int
    features: Tuple[str, ...]


class Usage(NamedTuple):
    """Bytes of a pool, replicas counted once; ``quota`` is 0 where there is none."""

    stored: int
    available: int
    quota: int


class Pool(ABC):
    """A pool, or one namespace of it."""

    name = ""
    namespace = ""

    @abstractmethod
    def read_all(self, name: str) -> Stamped:
        """All omap values of an object, as of one version; raises ObjectMissing."""

    @abstractmethod
    def read_keys(self, name: str, keys: Sequence[str]) -> Stamped:
        """The omap values of those ``keys`` that exist; raises ObjectMissing."""

    @abstractmethod
    def create_object(self, name: str, values: Mapping[str, bytes]) -> None:
        """Make an object with omap values in one step; raises ObjectExists."""

    @abstractmethod
    def write_keys(self, name: str, version: int, values: Mapping[str, bytes], remove: Sequence[str]) -> None:
        """Set and remove omap values in one step if the object still has ``version``; raises Stale.

        An object that is gone is Stale too: Ceph 16.2 answers EOVERFLOW for it, not ENOENT.
        """

    @abstractmethod
    def remove_object(self, name: str, version: int) -> None:
        """Remove an object if it still has ``version``; raises Stale, also when it is gone."""

    @abstractmethod
    def create_image(self, name: str, size: int, features: Sequence[str], data_pool: str) -> None:
        """Make an image of ``size`` bytes; raises ImageExists."""

    @abstractmethod
    def image(self, name: str) -> ImageFacts:
        """Open an image read-only and describe it; raises ImageMissing."""

    @abstractmethod
    def image_id(self, name: str) -> str:
        """The id of an image, in one round trip; raises ImageMissing."""

    @abstractmethod
    def images(self) -> Dict[str, str]:
        """Names and ids of all images."""

    @abstractmethod
    def watchers(self, name: str) -> List[str]:
        """Addresses (IP:PORT/NONCE) of the clients that have an image open for writing; raises ImageMissing."""

    @abstractmethod
    def resize_image(self, name: str, size: int) -> None:
        """Give an image another size in bytes; what lies beyond a smaller one is lost. Raises ImageMissing."""

    @abstractmethod
    def snapshots(self, name: str) -> Dict[str, int]:
        """Names and sizes in bytes of an image's snapshots, the oldest first; raises ImageMissing.

        Those that were removed and are kept only for clones are not among them.
        """

    @abstractmethod
    def create_snapshot(self, name: str, snapshot: str) -> None:
        """Take a snapshot, which costs one commit of the monitors; raises ImageMissing or SnapshotExists."""

    @abstractmethod
    def remove_snapshot(self, name: str, snapshot: str) -> None:
        """Remove a snapshot, also one with clones; one that is gone is fine. Raises ImageMissing."""

    @abstractmethod
    def changes(self, name: str, since: str, until: str, offset: int, length: int, whole: bool) -> List[Extent]:
        """Extents in which snapshot ``until`` (empty: the image) differs from snapshot ``since``, in one range.

        ``whole`` names whole objects, which an object map answers without looking at any. More than what changed
        may be named, never less. Raises ImageMissing, also for a snapshot.
        """

    @abstractmethod
    def clone_image(self, name: str, snapshot: str, clone: str, features: Sequence[str], data_pool: str) -> None:
        """Make a copy-on-write image of a snapshot; raises ImageMissing (also for the snapshot) or ImageExists."""

    @abstractmethod
    def trash_image(self, name: str) -> None:
        """Move an image to the trash, which takes constant time; raises ImageMissing."""

    @abstractmethod
    def trash(self) -> Dict[str, str]:
        """Ids and former names of the images in the trash."""

    @abstractmethod
    def purge(self, image_id: str) -> None:
        """Have the cluster remove a trashed image in the background; one that is gone already is fine."""

    @abstractmethod
    def usage(self) -> Usage:
        """Space of the pool."""


class Cluster(ABC):
    """A connection to a cluster; every call on it ends within the deadlines that it was opened with."""

    @abstractmethod
    def fsid(self) -> str:
        """The identity of the cluster."""

    @abstractmethod
    def command(self, prefix: str, arguments: Optional[Mapping[str, object]] = None) -> object:
        """Run a monitor command and return its decoded JSON."""

    @abstractmethod
    def pools(self) -> List[str]:
        """Names of all pools."""

    @abstractmethod
    def pool(self, name: str, namespace: str = "") -> Pool:
        """Open a pool; raises PoolMissing or NamespaceMissing."""

    @abstractmethod
    def namespaces(self, pool: str) -> List[str]:
        """RBD namespaces of a pool, without the default one; raises PoolMissing."""

    @abstractmethod
    def fence(self, client: str) -> None:
        """Blocklist one client (IP:PORT/NONCE); when this returns, the cluster refuses its writes."""

    @abstractmethod
    def close(self) -> None:
        """End the connection."""
