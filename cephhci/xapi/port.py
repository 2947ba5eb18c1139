"""The pool as XAPI knows it, as far as status and preflight read it: the port, and its twin in memory."""

from abc import ABC, abstractmethod
from typing import Dict, List, NamedTuple, Tuple

from cephhci import errors


class HostRecord(NamedTuple):
    """A host of the pool."""

    uuid: str
    name: str
    address: str
    live: bool
    enabled: bool


class Attachment(NamedTuple):
    """An SR as one host reaches it (a PBD)."""

    host: str
    attached: bool
    config: Tuple[Tuple[str, str], ...]


class SrRecord(NamedTuple):
    """An SR of our type; sizes in bytes."""

    uuid: str
    name: str
    size: int
    used: int
    allocated: int
    disks: int
    attachments: Tuple[Attachment, ...]


class PoolRecord(NamedTuple):
    """The pool as one value."""

    uuid: str
    name: str
    master: str
    ha: bool
    driver_registered: bool
    hosts: Tuple[HostRecord, ...]
    srs: Tuple[SrRecord, ...]


class XapiPool(ABC):
    """Implemented on a XAPI session, and by the twin in tests' hands."""

    @abstractmethod
    def read(self) -> PoolRecord:
        """The pool now; raises XapiFailed."""

    @abstractmethod
    def secret(self, uuid: str) -> str:
        """The value of a secret; raises XapiFailed."""

    @abstractmethod
    def call(self, host: str, function: str, arguments: Dict[str, str]) -> str:
        """Call our plugin on a host given by uuid; raises PluginMissing or XapiFailed."""


class MemoryPool(XapiPool):
    """The twin: answers from what it was given."""

    def __init__(self, record: PoolRecord, answers: Dict[Tuple[str, str], str], secrets: Dict[str, str]) -> None:
        self._record = record
        self._answers = answers
        self._secrets = secrets
        self.calls: List[Tuple[str, str, Dict[str, str]]] = []

    def read(self) -> PoolRecord:
        return self._record

    def secret(self, uuid: str) -> str:
        if uuid not in self._secrets:
            raise errors.XapiFailed(what="reading the secret of an SR", reason="UUID_INVALID")
        return self._secrets[uuid]

    def call(self, host: str, function: str, arguments: Dict[str, str]) -> str:
        self.calls.append((host, function, arguments))
        if (host, function) not in self._answers:
            raise errors.PluginMissing(host=host)
        return self._answers[host, function]
