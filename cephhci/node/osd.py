"""OSDs on this node's disks: begun, finished after an interruption, and got ready to start.

An OSD's uuid and key are remembered before the monitors hear of it, and forgotten once the disk itself
carries them. So a repeat after a power loss asks for the same OSD again and never makes a second one.
"""

import json
import os
from typing import Callable, Dict, NamedTuple, Optional

from cephhci.node import durable
from cephhci.node.durable import Owner
from cephhci.node.errors import StateUnusable
from cephhci.node.paths import Paths
from cephhci.node.tools import Tools


class Intent(NamedTuple):
    """An OSD that was begun; never shows its key."""

    uuid: str
    key: str

    def __repr__(self) -> str:
        return "Intent(uuid=%r)" % self.uuid


class Osds:
    """``new_intent`` chooses uuid and key of a new OSD."""

    def __init__(self, paths: Paths, tools: Tools, owner: Owner, new_intent: Callable[[], Intent]) -> None:
        self._paths = paths
        self._tools = tools
        self._owner = owner
        self._new_intent = new_intent

    def intended(self, path: str) -> Optional[str]:
        """The uuid of the OSD that was begun on the disk, if one was."""
        intent = self._intents().get(path)
        return intent.uuid if intent else None

    def make(self, path: str, wanted: Optional[str]) -> int:
        """Make an OSD on the empty or half-made disk and return its id. ``wanted``: its uuid, if demanded."""
        intents = self._intents()
        intent = intents.get(path)
        if intent is None or (wanted and intent.uuid != wanted):
            intent = self._new_intent()
            intent = intent._replace(uuid=wanted or intent.uuid)
            intents[path] = intent
            self._remember(intents)
        number = self._tools.osd_new(intent.uuid, intent.key, self._paths.bootstrap_keyring)
        data = self._empty_directory(number, path)
        self._tools.osd_mkfs(number, intent.uuid, data, intent.key)
        return number

    def get_ready(self, path: str, number: int) -> None:
        """Fill the data directory of a complete OSD from its disk; the directory holds nothing else."""
        data = self._empty_directory(number, path)
        self._tools.prime_osd_dir(path, data)
        intents = self._intents()
        if intents.pop(path, None):
            self._remember(intents)

    def own(self, path: str) -> None:
        """Give the disk to the daemons' user. udev gives it back to root whenever it sees the disk change."""
        try:
            os.chown(path, self._owner.uid, self._owner.gid)
        except OSError as error:
            raise StateUnusable(path=path, reason=error.strerror) from error

    def _empty_directory(self, number: int, path: str) -> str:
        data = self._paths.data("osd", str(number))
        durable.remove_tree(data)
        durable.directory(data, 0o750, self._owner)
        self.own(path)
        try:
            os.symlink(path, os.path.join(data, "block"))
        except OSError as error:
            raise StateUnusable(path=data, reason=error.strerror) from error
        return data

    def _intents(self) -> Dict[str, Intent]:
        text = durable.read(self._paths.new_osds)
        if text is None:
            return {}
        try:
            return {path: Intent(entry["uuid"], entry["key"]) for path, entry in json.loads(text).items()}
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise StateUnusable(path=self._paths.new_osds, reason="is damaged") from error

    def _remember(self, intents: Dict[str, Intent]) -> None:
        entries = {path: {"uuid": intent.uuid, "key": intent.key} for path, intent in intents.items()}
        durable.write(self._paths.new_osds, json.dumps(entries, indent=1, sort_keys=True) + "\n", 0o600)
