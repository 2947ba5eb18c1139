"""Documents and keys of a whole new cluster, made before any of its nodes runs.

Pure: time and randomness are passed in. All nodes get the same monitors and the same initial auth database,
so any majority of them forms the first quorum: there is no bootstrap node, and no `auth add` afterwards.
"""

import base64
import json
import struct
import uuid
from typing import Callable, Dict, List, Mapping, NamedTuple, Sequence

from cephhci.node.conf import keyring
from cephhci.node.document import SCHEMA, Credential, Interface, parse

Randomness = Callable[[int], bytes]  # os.urandom


class NodeSpec(NamedTuple):
    """One node of the cluster to make; ``disks``: device paths; ``crush_host``: usually the host's name."""

    name: str
    public: Interface
    cluster: Interface
    disks: Sequence[str]
    crush_host: str


class ClusterSpec(NamedTuple):
    """A cluster to make. Every node gets a mgr; the first five nodes also get a monitor."""

    nodes: Sequence[NodeSpec]
    pool: str
    options: Mapping[str, Mapping[str, object]]
    user: str = "ceph"


class Seed(NamedTuple):
    """``documents``: JSON by node; ``keyrings`` for dom0: text by client; ``monitors``: address by name."""

    fsid: str
    monitors: Dict[str, str]
    documents: Dict[str, str]
    keyrings: Dict[str, str]


MONITORS = 5  # more only make each commit slower


def cluster(spec: ClusterSpec, random: Randomness, now: int) -> Seed:
    """Make the documents of all nodes. ``now``: seconds since 1970. Raises DocumentInvalid for a bad spec."""
    fsid = str(uuid.UUID(bytes=random(16), version=4))
    monitors = list(spec.nodes[:MONITORS])
    auth = {entity: Credential(secret(random, now), caps) for entity, caps in sorted(_caps(spec).items())}
    documents = {}
    for node in spec.nodes:
        text = json.dumps(_document(spec, node, fsid, monitors, auth), indent=1, sort_keys=True)
        parse(text)
        documents[node.name] = text
    clients = [entity for entity in auth if entity in ("client.admin", "client.xcp")]
    return Seed(
        fsid=fsid,
        monitors={node.name: node.public.address for node in monitors},
        documents=documents,
        keyrings={entity: keyring([(entity, auth[entity])]) for entity in clients},
    )


def secret(random: Randomness, now: int) -> str:
    """A new cephx key: type 1 (AES), creation time, 16 random bytes."""
    return base64.b64encode(struct.pack("<hiih", 1, now, 0, 16) + random(16)).decode("ascii")


def _caps(spec: ClusterSpec) -> Dict[str, Dict[str, str]]:
    caps = {
        "mon.": {"mon": "allow *"},
        "client.admin": {"mon": "allow *", "mgr": "allow *", "osd": "allow *", "mds": "allow *"},
        "client.bootstrap-osd": {"mon": "allow profile bootstrap-osd"},
        # Enough for the driver: images, snapshots, clones, trash, its index object, df; no other pool.
        "client.xcp": {
            "mon": "profile rbd",
            "osd": "profile rbd pool=%s" % spec.pool,
            "mgr": "profile rbd pool=%s" % spec.pool,
        },
    }
    for node in spec.nodes:
        caps["mgr." + node.name] = {"mon": "allow profile mgr", "osd": "allow *", "mds": "allow *"}
    return caps


def _document(
    spec: ClusterSpec, node: NodeSpec, fsid: str, monitors: List[NodeSpec], auth: Dict[str, Credential]
) -> Dict[str, object]:
    return {
        "schema": SCHEMA,
        "fsid": fsid,
        "node": node.name,
        "user": spec.user,
        "public": node.public._asdict(),
        "cluster": node.cluster._asdict(),
        "monitors": [{"name": other.name, "address": other.public.address} for other in monitors],
        "auth": {entity: credential._asdict() for entity, credential in auth.items()},
        "local_keyrings": ["client.admin"],
        "disks": [{"path": path} for path in node.disks],
        "options": spec.options,
        "crush": {"root": "default", "host": node.crush_host},
    }
