"""The declarative document of one node, and its validation.

Pure. The document carries secrets (cephx keys): errors name fields, never values of keys.
"""

import base64
import binascii
import ipaddress
import math
import re
import struct
from typing import Dict, List, NamedTuple, Optional, Tuple

from cephhci.node.fields import UNPRINTABLE, Fields, load, wrong

SCHEMA = 1
SECTIONS = ("global", "mon", "mgr", "osd", "client")
# Follow from other fields. A `keyring` in [global] would even keep the monitors from ever forming a quorum.
DERIVED_OPTIONS = (
    ("fsid", "mon_host", "mon_initial_members", "keyring", "key", "keyfile")
    + ("public_network", "cluster_network", "public_addr", "cluster_addr", "crush_location")
    + ("auth_cluster_required", "auth_service_required", "auth_client_required")
    + ("mon_data", "mgr_data", "osd_data", "admin_socket", "log_file", "run_dir", "crash_dir")
)

_NAME = re.compile(r"[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?")
_NAME_WORDS = "a host name (letters, digits, hyphens)"
_CRUSH_NAME = re.compile(r"[A-Za-z0-9_.-]{1,64}")
_CRUSH_WORDS = "a CRUSH name (letters, digits, . _ -)"
_ENTITY = re.compile(r"mon\.|(mgr|client)\.[A-Za-z0-9._-]{1,64}")
_OPTION = re.compile(r"[a-z][a-z0-9_]*")
_USER = re.compile(r"[a-z_][a-z0-9_-]{0,31}")
_CAP_SERVICES = ("mon", "osd", "mgr", "mds")


class Interface(NamedTuple):
    """This node's address on a network, and that network (IPv4, CIDR)."""

    address: str
    network: str


class Monitor(NamedTuple):
    """A monitor of the cluster; listens on 3300 and 6789 of ``address``."""

    name: str
    address: str


class Credential(NamedTuple):
    """A cephx key and its capabilities; never shows the key."""

    key: str
    caps: Dict[str, str]

    def __repr__(self) -> str:
        return "Credential(caps=%r)" % (self.caps,)


class Disk(NamedTuple):
    """A disk for one OSD; ``uuid`` fixes the OSD's uuid where it has to be known beforehand."""

    path: str
    uuid: Optional[str]


class Document(NamedTuple):
    """``auth``: the initial auth database; ``local_keyrings``: what of it goes into /etc/ceph here."""

    fsid: str
    node: str
    public: Interface
    cluster: Interface
    monitors: Tuple[Monitor, ...]
    auth: Dict[str, Credential]
    local_keyrings: Tuple[str, ...]
    disks: Tuple[Disk, ...]
    options: Dict[str, Dict[str, str]]
    crush_root: str
    crush_host: str
    user: str

    @property
    def has_mon(self) -> bool:
        return any(monitor.name == self.node for monitor in self.monitors)

    @property
    def has_mgr(self) -> bool:
        return "mgr." + self.node in self.auth


def parse(text: str) -> Document:
    """Read and validate a document (JSON text). Raises DocumentInvalid naming the first wrong field."""
    top = load(text)
    schema = top.take("schema")
    if type(schema) is not int or schema != SCHEMA:
        raise wrong("schema", "must be %d" % SCHEMA)
    node = top.text("node", _NAME, _NAME_WORDS)
    public = _interface(top, "public")
    monitors = _monitors(top)
    crush_root, crush_host = _crush(top, node)
    document = Document(
        fsid=top.uuid("fsid"),
        node=node,
        public=public,
        cluster=_interface(top, "cluster") if "cluster" in top else public,
        monitors=monitors,
        auth=_auth(top),
        local_keyrings=_local_keyrings(top),
        disks=_disks(top),
        options=_options(top),
        user=top.text("user", _USER, "the name of a system user", "ceph"),
        crush_root=crush_root,
        crush_host=crush_host,
    )
    top.done()
    _check_together(document)
    return document


def _interface(top: Fields, name: str) -> Interface:
    fields = Fields(top.take(name), name)
    interface = Interface(fields.address("address"), fields.network("network"))
    fields.done()
    if ipaddress.IPv4Address(interface.address) not in ipaddress.IPv4Network(interface.network):
        raise wrong(fields.path("address"), "is not in the network %s" % interface.network)
    return interface


def _monitors(top: Fields) -> Tuple[Monitor, ...]:
    monitors: List[Monitor] = []
    for path, item in top.items("monitors"):
        fields = Fields(item, path)
        monitor = Monitor(fields.text("name", _NAME, _NAME_WORDS), fields.address("address"))
        fields.done()
        for other in monitors:
            if monitor.name == other.name or monitor.address == other.address:
                raise wrong(path, "has the name or the address of another monitor")
        monitors.append(monitor)
    if not monitors:
        raise wrong("monitors", "must name at least one monitor")
    return tuple(monitors)


def _auth(top: Fields) -> Dict[str, Credential]:
    auth = {}
    for entity, item in top.members("auth"):
        path = "auth[%s]" % entity
        if not _ENTITY.fullmatch(entity):
            raise wrong(path, "is not mon., mgr.NAME or client.NAME")
        fields = Fields(item, path)
        auth[entity] = Credential(_key(fields), _caps(fields))
        fields.done()
    return auth


def _key(fields: Fields) -> str:
    key = fields.take("key")
    try:
        raw = base64.b64decode(key if isinstance(key, str) else "", validate=True)
        kind, _, _, length = struct.unpack("<hiih", raw[:12])
    except (binascii.Error, struct.error, ValueError):
        kind = length = 0
    if kind != 1 or length != 16 or len(raw) != 12 + length:
        raise wrong(fields.path("key"), "must be a cephx key")
    return str(key)


def _caps(fields: Fields) -> Dict[str, str]:
    caps = {}
    for service, value in fields.members("caps"):
        path = "%s.%s" % (fields.path("caps"), service)
        if service not in _CAP_SERVICES:
            raise wrong(path, "is not one of %s" % ", ".join(_CAP_SERVICES))
        if not isinstance(value, str) or not value or UNPRINTABLE.search(value):
            raise wrong(path, "must be a line of text")
        caps[service] = value
    return caps


def _local_keyrings(top: Fields) -> Tuple[str, ...]:
    entities = []
    for path, entity in top.items("local_keyrings", []):
        if not isinstance(entity, str) or not entity.startswith("client."):
            raise wrong(path, "must be the name of a client in auth")
        entities.append(entity)
    return tuple(entities)


def _disks(top: Fields) -> Tuple[Disk, ...]:
    disks: List[Disk] = []
    for place, item in top.items("disks"):
        fields = Fields(item, place)
        path = fields.take("path")
        if not isinstance(path, str) or not path.startswith("/") or UNPRINTABLE.search(path):
            raise wrong(fields.path("path"), "must be an absolute path")
        disk = Disk(path, fields.uuid("uuid") if "uuid" in fields else None)
        fields.done()
        for other in disks:
            if disk.path == other.path or (disk.uuid and disk.uuid == other.uuid):
                raise wrong(place, "has the path or the uuid of another disk")
        disks.append(disk)
    return tuple(disks)


def _options(top: Fields) -> Dict[str, Dict[str, str]]:
    options = {}
    for section, item in top.members("options", {}):
        if section not in SECTIONS:
            raise wrong("options.%s" % section, "is not one of %s" % ", ".join(SECTIONS))
        if not isinstance(item, dict):
            raise wrong("options.%s" % section, "must be an object")
        options[section] = {
            name: _setting(name, value, "options.%s.%s" % (section, name)) for name, value in item.items()
        }
    return options


def _setting(name: str, value: object, path: str) -> str:
    if not _OPTION.fullmatch(name):
        raise wrong(path, "is not the name of a Ceph option (lower case with underscores)")
    if name in DERIVED_OPTIONS:
        raise wrong(path, "follows from other fields and cannot be set")
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (int, float)) and math.isfinite(value):
        return repr(value)
    if isinstance(value, str) and not UNPRINTABLE.search(value) and not set(value) & set("#;\"'\\"):
        return value
    raise wrong(path, "must be a number, a boolean or a line of text without quotes, # ; and \\")


def _crush(top: Fields, node: str) -> Tuple[str, str]:
    fields = Fields(top.take("crush", {}), "crush")
    root = fields.text("root", _CRUSH_NAME, _CRUSH_WORDS, "default")
    host = fields.text("host", _CRUSH_NAME, _CRUSH_WORDS, node)
    fields.done()
    return root, host


def _check_together(document: Document) -> None:
    for entity in ["client.bootstrap-osd"] + (["mon."] if document.has_mon else []):
        if entity not in document.auth:
            raise wrong("auth[%s]" % entity, "is missing")
    for index, entity in enumerate(document.local_keyrings):
        if entity not in document.auth:
            raise wrong("local_keyrings[%d]" % index, "must be the name of a client in auth")
    own = document.public.address
    for index, monitor in enumerate(document.monitors):
        if (monitor.name == document.node) != (monitor.address == own):
            raise wrong("monitors[%d]" % index, "agrees with this node in only one of name and address")
