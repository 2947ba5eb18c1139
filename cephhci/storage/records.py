"""The XAPI records of an SR's disks, as far as creating, deleting and recovering disks need them."""

from abc import ABC, abstractmethod
from typing import Dict

from cephhci.entry import Entry


class Records(ABC):
    """Implemented by the driver on SM's session, and by the twin below."""

    @abstractmethod
    def introduce(self, entry: Entry) -> None:
        """Make the record of a disk."""

    @abstractmethod
    def forget(self, disk: str) -> None:
        """Remove the record of a disk; one that is gone already is fine."""

    @abstractmethod
    def known(self, disk: str) -> bool:
        """Whether the pool's database has a record of the disk."""


class MemoryRecords(Records):
    """The twin in memory."""

    def __init__(self) -> None:
        self.entries: Dict[str, Entry] = {}

    def introduce(self, entry: Entry) -> None:
        self.entries[entry.uuid] = entry

    def forget(self, disk: str) -> None:
        self.entries.pop(disk, None)

    def known(self, disk: str) -> bool:
        return disk in self.entries
