"""This node's manager daemon: it keeps nothing but its key."""

import os

from cephhci.node import durable
from cephhci.node.conf import keyring
from cephhci.node.document import Document
from cephhci.node.durable import Owner
from cephhci.node.paths import Paths


def prepare(document: Document, paths: Paths, owner: Owner) -> None:
    """Write the manager's data directory. The key has been in the auth database since the first quorum."""
    entity = "mgr." + document.node
    data = paths.data("mgr", document.node)
    durable.directory(data, 0o750, owner)
    durable.write(os.path.join(data, "keyring"), keyring([(entity, document.auth[entity])]), 0o600, owner)
