"""What a mapper does: it makes an image of the cluster a device of this host.

Implemented by ``krbd``, by ``external`` (a program in /usr/libexec/xcpng-ceph-hci/mappers), and by the twin
here, in memory.
"""

from abc import ABC, abstractmethod
from typing import Callable, Dict, List, NamedTuple, Tuple

from cephhci import errors
from cephhci.target import Target


class Source(NamedTuple):
    """An image or one of its snapshots; ``namespace`` and ``snapshot`` may be empty."""

    pool: str
    namespace: str
    image: str
    snapshot: str

    @property
    def name(self) -> str:
        """The image or snapshot as the rbd command names it inside its pool."""
        return "%s@%s" % (self.image, self.snapshot) if self.snapshot else self.image


class Mapping(NamedTuple):
    """An image that is a device; ``client`` is the address Ceph knows it by, empty where the mapper cannot tell."""

    source: Source
    device: str
    read_only: bool
    client: str


class Mapper(ABC):
    """Maps and unmaps images; every call ends within a deadline."""

    @abstractmethod
    def features(self) -> Tuple[str, ...]:
        """The image features this mapper can map; raises MappingFailed where it cannot work at all."""

    @abstractmethod
    def map(self, target: Target, source: Source, read_only: bool) -> Mapping:
        """Make ``source`` a device; raises MappingFailed."""

    @abstractmethod
    def unmap(self, device: str) -> None:
        """Remove a device, also when the cluster is gone; one that is gone already is fine."""

    @abstractmethod
    def mappings(self) -> List[Mapping]:
        """Everything mapped on this host."""


class MemoryMapper(Mapper):
    """The twin: its devices are names."""

    def __init__(self, opened: Callable[[str, bool], None], closed: Callable[[str], None], client: str) -> None:
        """``opened`` is told of every image and whether it is read-only, and raises ImageMissing."""
        self._opened = opened
        self._closed = closed
        self._client = client
        self._mapped: Dict[str, Mapping] = {}
        self._count = 0

    def features(self) -> Tuple[str, ...]:
        return ("exclusive-lock", "layering")

    def map(self, target: Target, source: Source, read_only: bool) -> Mapping:
        try:
            self._opened(source.image, read_only)
        except errors.ImageMissing as error:
            raise errors.MappingFailed(what="mapping %s" % source.image, reason=str(error)) from error
        device = "/dev/memory%d" % self._count
        self._count += 1
        self._mapped[device] = Mapping(source, device, read_only, self._client)
        return self._mapped[device]

    def unmap(self, device: str) -> None:
        mapping = self._mapped.pop(device, None)
        if mapping and not mapping.read_only:
            self._closed(mapping.source.image)

    def mappings(self) -> List[Mapping]:
        return list(self._mapped.values())
