"""What can go wrong on a node, with the way out."""

from cephhci.errors import Error


class DocumentInvalid(Error):
    """The node document cannot be used; nothing was started or changed."""

    code = "HCI_NODE_DOCUMENT"
    msg = "node document: {field}: {reason}"
    todo = "Correct the document and start again"


class StateForeign(Error):
    """The state of this machine belongs to another cluster; it was not touched."""

    code = "HCI_NODE_STATE_FOREIGN"
    msg = "{path} belongs to the Ceph cluster {found}, the document describes {fsid}"
    todo = "Use the document of that cluster, or move the directory away"


class StateUnusable(Error):
    """A file or directory that a daemon needs cannot be made."""

    code = "HCI_NODE_STATE"
    msg = "{path}: {reason}"
    todo = "Check that the file system is mounted, writable and not full"


class NeverRan(Error):
    """There is no status to show."""

    code = "HCI_NODE_NEVER_RAN"
    msg = "{path} is missing: hci-node has not run since this machine's boot"
    todo = "Start it: hci-node run DOCUMENT"


class AlreadyRunning(Error):
    """Another hci-node owns this machine's daemons."""

    code = "HCI_NODE_RUNNING"
    msg = "another hci-node is running (lock {path})"
    todo = "Stop it first; `hci-node status` shows what it does"


class DiskMissing(Error):
    """A disk of the document is not there (yet); looked for again later."""

    code = "HCI_DISK_MISSING"
    msg = "disk {path}: {reason}"
    todo = "Attach the disk, or take it out of the document"


class DiskRefused(Error):
    """A disk holds something that is not ours; it was only read."""

    code = "HCI_DISK_REFUSED"
    msg = "disk {path} {reason}; it was not touched"
    todo = "{way_out}"


class DaemonUnreachable(Error):
    """A daemon does not answer on its admin socket."""

    code = "HCI_DAEMON_UNREACHABLE"
    msg = "{socket}: {reason}"
