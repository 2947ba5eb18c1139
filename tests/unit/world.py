"""An SR in memory, and processes that die at a chosen step."""

from typing import Any, Callable, Dict, List, Optional

from cephhci.ceph.memory import MemoryCluster
from cephhci.clock import Clock
from cephhci.entry import Contents, Header
from cephhci.storage.disks import Disks, NewDisk
from cephhci.storage.index import Index
from cephhci.storage.records import MemoryRecords
from cephhci.storage.recovery import Scan, scan

SR = "11111111-1111-4111-8111-111111111111"
HEADER = Header(SR, ("exclusive-lock", "layering"), "")
# Calls that leave something behind: what can be in between when a process dies.
CHANGES = frozenset(
    (
        "create_object",
        "write_keys",
        "remove_object",
        "create_image",
        "resize_image",
        "create_snapshot",
        "remove_snapshot",
        "clone_image",
        "trash_image",
        "purge",
        "introduce",
        "forget",
    )
)


class Killed(BaseException):
    """The process died; nothing in it may catch this."""


class Fuse:
    """Counts changing calls and kills the process around the n-th: before it, or after it but before its reply."""

    def __init__(self, n: Optional[int] = None, after: bool = False) -> None:
        self._n = n
        self._after = after
        self.count = 0

    def call(self, function: Callable[..., Any], args: Any, kwargs: Any) -> Any:
        self.count += 1
        if self.count != self._n:
            return function(*args, **kwargs)
        if self._after:
            function(*args, **kwargs)
        raise Killed


class Fused:
    """A proxy around an adapter whose changing calls go through a fuse."""

    def __init__(self, inner: Any, fuse: Fuse) -> None:
        self._inner = inner
        self._fuse = fuse

    def __getattr__(self, name: str) -> Any:
        attribute = getattr(self._inner, name)
        if name not in CHANGES:
            return attribute
        return lambda *args, **kwargs: self._fuse.call(attribute, args, kwargs)


class NoWait(Clock):
    """Time passes only by sleeping."""

    def __init__(self) -> None:
        self._now = 0.0

    def now(self) -> float:
        return self._now

    def sleep(self, seconds: float) -> None:
        self._now += seconds


class World:
    """A cluster with one SR, and XAPI's records of it."""

    def __init__(self) -> None:
        self.cluster = MemoryCluster()
        self.pool = self.cluster.pool("xcp")
        self.records = MemoryRecords()
        Index(self.pool, SR, NoWait()).create(HEADER)

    def process(self, fuse: Optional[Fuse] = None) -> Disks:
        """The disks as a new process sees them."""
        fuse = fuse or Fuse()
        pool = Fused(self.pool, fuse)
        return Disks(pool, Index(pool, SR, NoWait()), Fused(self.records, fuse))  # type: ignore[arg-type]

    def scan(self, fuse: Optional[Fuse] = None) -> Scan:
        """A scan by a new process."""
        fuse = fuse or Fuse()
        pool = Fused(self.pool, fuse)
        records = Fused(self.records, fuse)
        index = Index(pool, SR, NoWait())  # type: ignore[arg-type]
        return scan(pool, index, Disks(pool, index, records), records)  # type: ignore[arg-type]

    def contents(self) -> Contents:
        """The index."""
        return Index(self.pool, SR, NoWait()).contents()

    def check(self) -> List[str]:
        """The disks, after making sure that index, images and records agree and nothing is left over."""
        contents = self.contents()
        entries = contents.entries.values()
        assert {entry.state for entry in entries} <= {"ok", "hidden"}
        assert {entry.image: entry.image_id for entry in entries} == self.pool.images()
        assert not any(entry.growing for entry in entries)
        for image in self.pool.images():
            kept = {entry.snap: entry.size for entry in entries if entry.image == image and entry.snap}
            assert self.pool.snapshots(image) == kept
            head = contents.entries[image[len("vdi-") :]]
            assert head.state == "ok" or kept, "nothing needs %s" % image
            assert head.state == "hidden" or head.size == self.pool.image(image).size
        assert set(self.records.entries) == {entry.uuid for entry in entries if entry.state == "ok"}
        assert self.pool.trash() == {}
        assert contents.garbage == []
        return sorted(self.records.entries)


def new_disk(uuid: str, **fields: Any) -> NewDisk:
    """A disk to ask for."""
    defaults: Dict[str, Any] = {"uuid": uuid, "size": 1, "label": "b\u00fcro", "description": "", "type": "user"}
    defaults["read_only"] = False
    defaults.update(fields)
    return NewDisk(**defaults)
