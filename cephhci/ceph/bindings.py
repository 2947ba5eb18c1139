"""Whether this host has the Ceph bindings at all; importable without them."""

from typing import Dict

from cephhci import errors
from cephhci.ceph.port import Cluster
from cephhci.target import Target


def versions() -> Dict[str, str]:
    """Versions of the libraries by name; raises BindingsMissing."""
    try:
        import rados
        import rbd
    except ImportError as error:
        raise errors.BindingsMissing(reason=str(error)) from error
    return {
        "librados": str(rados.Rados(rados_id="none").version()),
        "librbd": ".".join(str(part) for part in rbd.RBD().version()),
    }


def connect(target: Target, seconds: int) -> Cluster:
    """As ``cluster.connect``; raises BindingsMissing besides."""
    versions()
    from cephhci.ceph import cluster

    return cluster.connect(target, seconds)
