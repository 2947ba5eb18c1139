"""The declarative document of one node, and its validation.

Pure. The document carries secrets (cephx keys): parse errors name fields, never values of keys.
"""

import base64
import binascii
import ipaddress
import json
import re
import struct
import uuid
from typing import Dict, List, NamedTuple, NoReturn, Optional, Pattern, Tuple

from cephhci.node.errors import DocumentInvalid

SCHEMA = 1
SECTIONS = ("global", "mon", "mgr", "osd", "client")
# Follow from other fields. A `keyring` in [global] would even keep the monitors from ever forming a quorum.
DERIVED_OPTIONS = (
    ("fsid", "mon_host", "mon_initial_members", "public_network", "cluster_network", "public_addr", "cluster_addr")
    + ("keyring", "key", "keyfile", "auth_cluster_required", "auth_service_required", "auth_client_required")
    + ("crush_location", "mon_data", "mgr_data", "osd_data", "admin_socket", "log_file", "run_dir", "crash_dir")
)

_NAME = re.compile(r"[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?\Z")
_CRUSH_NAME = re.compile(r"[A-Za-z0-9_.-]{1,64}\Z")
_ENTITY = re.compile(r"(mon\.|(mgr|client)\.[A-Za-z0-9._-]{1,64})\Z")
_OPTION = re.compile(r"[a-z][a-z0-9_]*\Z")
_USER = re.compile(r"[a-z_][a-z0-9_-]{0,31}\Z")
_UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f]")
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
    try:
        value = json.loads(text, object_pairs_hook=_unique)
    except ValueError as error:
        _wrong("(document)", "is not JSON: %s" % error)
    top = _Fields(value, "(document)")
    if top.take("schema") != SCHEMA:
        _wrong("schema", "must be %d" % SCHEMA)
    node = top.text("node", _NAME, "a host name (letters, digits, hyphens)")
    public = _interface(top.take("public"), "public")
    monitors = _monitors(top.take("monitors"))
    crush_root, crush_host = _crush(top.take("crush", {}), node)
    document = Document(
        fsid=_uuid(top.take("fsid"), "fsid"),
        node=node,
        public=public,
        cluster=_interface(top.take("cluster"), "cluster") if "cluster" in top else public,
        monitors=monitors,
        auth=_auth(top.take("auth"), any(monitor.name == node for monitor in monitors)),
        local_keyrings=_entities(top.take("local_keyrings", [])),
        disks=_disks(top.take("disks")),
        options=_options(top.take("options", {})),
        user=top.text("user", _USER, "the name of a system user", "ceph"),
        crush_root=crush_root,
        crush_host=crush_host,
    )
    top.done()
    _check_together(document)
    return document


class _Fields:
    """The members of one JSON object, taken one by one; what is left at the end is unknown and refused."""

    def __init__(self, value: object, where: str) -> None:
        if not isinstance(value, dict):
            _wrong(where, "must be an object")
        self._left = dict(value)
        self._prefix = "" if where == "(document)" else where + "."

    def __contains__(self, name: str) -> bool:
        return name in self._left

    def take(self, name: str, *default: object) -> object:
        if name not in self._left and not default:
            _wrong(self._prefix + name, "is missing")
        return self._left.pop(name, *default)

    def text(self, name: str, pattern: Pattern[str], what: str, *default: object) -> str:
        return _text(self.take(name, *default), self._prefix + name, pattern, what)

    def done(self) -> None:
        for name in sorted(self._left):
            _wrong(self._prefix + name, "is not a known field")


def _wrong(field: str, reason: str) -> NoReturn:
    raise DocumentInvalid(field=field, reason=reason)


def _unique(pairs: List[Tuple[str, object]]) -> Dict[str, object]:
    names = [name for name, _ in pairs]
    for name in names:
        if names.count(name) > 1:
            raise ValueError("the field %r appears twice in one object" % name)
    return dict(pairs)


def _text(value: object, field: str, pattern: Pattern[str], what: str) -> str:
    if not isinstance(value, str) or not pattern.match(value):
        _wrong(field, "must be " + what)
    return value


def _list(value: object, field: str) -> List[object]:
    if not isinstance(value, list):
        _wrong(field, "must be a list")
    return value


def _object(value: object, field: str) -> Dict[str, object]:
    if not isinstance(value, dict):
        _wrong(field, "must be an object")
    return value


def _uuid(value: object, field: str) -> str:
    try:
        if isinstance(value, str) and str(uuid.UUID(value)) == value:
            return value
    except ValueError:
        pass
    _wrong(field, "must be a UUID in lower case with hyphens")


def _address(value: object, field: str) -> str:
    try:
        return str(ipaddress.IPv4Address(value if isinstance(value, str) else ""))
    except ValueError:
        _wrong(field, "must be an IPv4 address")


def _interface(value: object, field: str) -> Interface:
    fields = _Fields(value, field)
    address = _address(fields.take("address"), field + ".address")
    network = fields.take("network")
    fields.done()
    try:
        parsed = ipaddress.IPv4Network(network if isinstance(network, str) else "")
    except ValueError:
        _wrong(field + ".network", "must be an IPv4 network like 10.0.0.0/24")
    if ipaddress.IPv4Address(address) not in parsed:
        _wrong(field + ".address", "%s is not in the network %s" % (address, parsed))
    return Interface(address, str(parsed))


def _monitors(value: object) -> Tuple[Monitor, ...]:
    monitors: List[Monitor] = []
    for index, item in enumerate(_list(value, "monitors")):
        field = "monitors[%d]" % index
        fields = _Fields(item, field)
        name = fields.text("name", _NAME, "a host name (letters, digits, hyphens)")
        address = _address(fields.take("address"), field + ".address")
        fields.done()
        for other in monitors:
            if name == other.name or address == other.address:
                _wrong(field, "has the name or the address of another monitor")
        monitors.append(Monitor(name, address))
    if not monitors:
        _wrong("monitors", "must name at least one monitor")
    return tuple(monitors)


def _auth(value: object, has_mon: bool) -> Dict[str, Credential]:
    auth = {}
    for entity, item in sorted(_object(value, "auth").items()):
        field = "auth[%s]" % entity
        if not _ENTITY.match(entity):
            _wrong(field, "is not mon., mgr.NAME or client.NAME")
        fields = _Fields(item, field)
        key = _key(fields.take("key"), field + ".key")
        auth[entity] = Credential(key, _caps(fields.take("caps"), field + ".caps"))
        fields.done()
    needed = ["client.bootstrap-osd"] + (["mon."] if has_mon else [])
    for entity in needed:
        if entity not in auth:
            _wrong("auth[%s]" % entity, "is missing")
    return auth


def _key(value: object, field: str) -> str:
    try:
        raw = base64.b64decode(value if isinstance(value, str) else "", validate=True)
        kind, _, _, length = struct.unpack("<hiih", raw[:12])
        if kind == 1 and length == 16 and len(raw) == 12 + length:
            return str(value)
    except (binascii.Error, struct.error, ValueError):
        pass
    _wrong(field, "must be a cephx key")


def _caps(value: object, field: str) -> Dict[str, str]:
    caps = {}
    for service, text in _object(value, field).items():
        if service not in _CAP_SERVICES:
            _wrong(field, "knows only %s" % ", ".join(_CAP_SERVICES))
        if not isinstance(text, str) or not text or _UNPRINTABLE.search(text):
            _wrong("%s.%s" % (field, service), "must be a line of text")
        caps[service] = text
    return caps


def _entities(value: object) -> Tuple[str, ...]:
    return tuple(
        _text(item, "local_keyrings[%d]" % index, _ENTITY, "the name of a client in auth")
        for index, item in enumerate(_list(value, "local_keyrings"))
    )


def _disks(value: object) -> Tuple[Disk, ...]:
    disks: List[Disk] = []
    for index, item in enumerate(_list(value, "disks")):
        field = "disks[%d]" % index
        fields = _Fields(item, field)
        path = fields.take("path")
        if not isinstance(path, str) or not path.startswith("/") or _UNPRINTABLE.search(path):
            _wrong(field + ".path", "must be an absolute path")
        number = fields.take("uuid", None)
        disk = Disk(path, None if number is None else _uuid(number, field + ".uuid"))
        fields.done()
        for other in disks:
            if disk.path == other.path or (disk.uuid and disk.uuid == other.uuid):
                _wrong(field, "has the path or the uuid of another disk")
        disks.append(disk)
    return tuple(disks)


def _options(value: object) -> Dict[str, Dict[str, str]]:
    options: Dict[str, Dict[str, str]] = {}
    for section, entries in sorted(_object(value, "options").items()):
        if section not in SECTIONS:
            _wrong("options.%s" % section, "is not one of %s" % ", ".join(SECTIONS))
        options[section] = {}
        for name, setting in sorted(_object(entries, "options.%s" % section).items()):
            options[section][name] = _setting(name, setting, "options.%s.%s" % (section, name))
    return options


def _setting(name: str, value: object, field: str) -> str:
    if not _OPTION.match(name):
        _wrong(field, "is not the name of a Ceph option (lower case with underscores)")
    if name in DERIVED_OPTIONS:
        _wrong(field, "is derived from other fields and cannot be set")
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (int, float)):
        return repr(value)
    if isinstance(value, str) and not _UNPRINTABLE.search(value) and not set(value) & set("#;\"'\\"):
        return value
    _wrong(field, "must be a number, a boolean or a line of text without quotes, # ; and \\")


def _crush(value: object, node: str) -> Tuple[str, str]:
    fields = _Fields(value, "crush")
    what = "a CRUSH name (letters, digits, . _ -)"
    root = fields.text("root", _CRUSH_NAME, what, "default")
    host = fields.text("host", _CRUSH_NAME, what, node)
    fields.done()
    return root, host


def _check_together(document: Document) -> None:
    for index, entity in enumerate(document.local_keyrings):
        if not entity.startswith("client.") or entity not in document.auth:
            _wrong("local_keyrings[%d]" % index, "must be the name of a client in auth")
    for index, monitor in enumerate(document.monitors):
        field, own = "monitors[%d].address" % index, document.public.address
        if monitor.name == document.node and monitor.address != own:
            _wrong(field, "is not this node's public address %s" % own)
        if monitor.name != document.node and monitor.address == own:
            _wrong(field, "is this node's public address, but the name is another")
