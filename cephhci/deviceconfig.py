"""What an administrator writes into device-config; pure.

Two ways to name a cluster: ``cluster`` (a configuration the hosts already have in /etc/ceph), or ``monitors``,
``user`` and ``password`` written out. XAPI replaces ``password`` by ``password_secret``, the uuid of a secret.
"""

import base64
import binascii
import re
import struct
from typing import Dict, Mapping, NamedTuple, Tuple

from cephhci.errors import InvalidArgument, MissingArgument
from cephhci.target import Target

FOLDER = "/etc/ceph"
DEFAULT_CLUSTER = "hci"
DEFAULT_USER = "xcp"
DEFAULT_MAPPER = "krbd"

DESCRIBED = (
    ("pool", "Ceph pool that holds the SR (required)"),
    ("cluster", "name of the cluster's files in /etc/ceph (default %s)" % DEFAULT_CLUSTER),
    ("monitors", "addresses of the monitors, instead of cluster (for example 10.0.0.1,10.0.0.2,10.0.0.3)"),
    ("user", "Ceph user without the leading client. (default %s)" % DEFAULT_USER),
    ("password", "key of that user, with monitors"),
    ("namespace", "RBD namespace in the pool"),
    ("data-pool", "pool for the data of the images, for example an erasure-coded one"),
    ("mapper", "how images become devices (default %s)" % DEFAULT_MAPPER),
)
# Xen Orchestra sends `location` when it attaches an SR again; XAPI adds SRmaster; the rest is SM's own.
ALIASES = {"location": "pool"}
FOREIGN = frozenset(("SRmaster", "multipathing", "multipathhandle", "type"))
SECRET = "password_secret"

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}\Z")
MONITOR = re.compile(r"(v[12]:)?(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9.-]+)(:[0-9]{1,5})?\Z")
KEY_HEADER = struct.Struct("<HIIH")


class DeviceConfig(NamedTuple):
    """A checked device-config; empty strings stand for what was not given."""

    pool: str
    namespace: str
    data_pool: str
    mapper: str
    user: str
    cluster: str
    monitors: Tuple[str, ...]
    password: str
    secret: str


def parse(given: Mapping[str, str], need_pool: bool = True) -> DeviceConfig:
    """Check the keys and values of device-config; raises InvalidArgument, which names the key."""
    keys = _known_keys(given)
    monitors = _monitors(keys.get("monitors", ""))
    _check_cluster_choice(keys, monitors)
    return DeviceConfig(
        pool=_name(keys, "pool", "") if need_pool or keys.get("pool") else "",
        namespace=_name(keys, "namespace", "") if keys.get("namespace") else "",
        data_pool=_name(keys, "data-pool", "") if keys.get("data-pool") else "",
        mapper=_name(keys, "mapper", DEFAULT_MAPPER),
        user=_name(keys, "user", DEFAULT_USER),
        cluster="" if monitors else _name(keys, "cluster", DEFAULT_CLUSTER),
        monitors=monitors,
        password=keys.get("password", ""),
        secret=keys.get(SECRET, ""),
    )


def target(config: DeviceConfig, password: str) -> Target:
    """How to reach the cluster; ``password`` is what the secret holds. Raises InvalidArgument if it is no key."""
    _check_key(password)
    conffile = "" if config.monitors else "%s/%s.conf" % (FOLDER, config.cluster)
    return Target(config.user, conffile, ",".join(config.monitors), password)


def _known_keys(given: Mapping[str, str]) -> Dict[str, str]:
    known = [key for key, _ in DESCRIBED] + [SECRET]
    keys: Dict[str, str] = {}
    for key in sorted(given):
        if key in FOREIGN:
            continue
        name = ALIASES.get(key, key)
        if name not in known:
            raise _invalid(key, "there is no such key", "Known keys: %s" % ", ".join(k for k, _ in DESCRIBED))
        if keys.get(name, given[key]) != given[key]:
            raise _invalid(key, "it contradicts %s" % name, "Give only one of them")
        keys[name] = given[key]
    return keys


def _check_cluster_choice(keys: Mapping[str, str], monitors: Tuple[str, ...]) -> None:
    if "password" in keys and SECRET in keys:
        raise _invalid("password", "it contradicts %s" % SECRET, "Give only one of them")
    has_key = "password" in keys or SECRET in keys
    if monitors and "cluster" in keys:
        raise _invalid("monitors", "it contradicts cluster", "Give either monitors, user and password, or cluster")
    if monitors and not has_key:
        raise _missing("password", "Monitors need the key of the Ceph user")
    if has_key and not monitors:
        raise _missing("monitors", "A password goes with monitors; a named cluster has its own keyring")


def _name(keys: Mapping[str, str], key: str, default: str) -> str:
    value = keys.get(key, default)
    if not value:
        raise _missing(key, "Give device-config:%s=..." % key)
    if not NAME.match(value):
        raise _invalid(
            key, "%s is not a usable name" % ascii(value), "Use letters, digits, dot, dash and underscore"
        )
    return value


def _monitors(text: str) -> Tuple[str, ...]:
    if not text:
        return ()
    monitors = tuple(part.strip() for part in re.split(r"[,; ]", text) if part.strip())
    for monitor in monitors:
        if not MONITOR.match(monitor):
            raise _invalid(
                "monitors", "%s is not an address" % ascii(monitor), "Give addresses separated by commas"
            )
    return monitors


def _check_key(text: str) -> None:
    # librados would print a key that it cannot decode to stderr, and XAPI show that to the user.
    if text and not _is_key(text):
        raise _invalid("password", "it is not a Ceph key", "Take the key that `ceph auth get-key client.USER` prints")


def _is_key(text: str) -> bool:
    """Whether the text is base64 of a type, a time, and a secret with its length (CryptoKey of Ceph)."""
    if text != text.strip():
        return False  # 3.6 passes over a line end
    try:
        raw = base64.b64decode(text.encode("ascii"), validate=True)
    except (binascii.Error, UnicodeEncodeError):
        return False
    if len(raw) < KEY_HEADER.size:
        return False
    return int(KEY_HEADER.unpack_from(raw)[3]) == len(raw) - KEY_HEADER.size


def _invalid(key: str, reason: str, way_out: str) -> InvalidArgument:
    return InvalidArgument(name="device-config:%s" % key, reason=reason, way_out=way_out)


def _missing(key: str, way_out: str) -> MissingArgument:
    return MissingArgument(name="device-config:%s" % key, reason="it is missing", way_out=way_out)
