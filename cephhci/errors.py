"""Every error this package raises on purpose.

An error has a stable ``code``, a sentence that says what failed and on what, and a ``todo`` that tells
the way out. The faces turn it into what their caller understands: the plugin into a XAPI failure, the
driver into a numbered SM error, a command into one line and exit code 1.
"""


class Error(Exception):
    """Base of all errors; subclasses fill in ``code``, ``msg`` and ``todo`` (templates over the fields)."""

    code = "HCI_ERROR"
    msg = "{reason}"
    todo = ""

    def __init__(self, **fields: object) -> None:
        super().__init__(fields)
        self.fields = fields

    def __str__(self) -> str:
        return self.msg.format(**self.fields)

    @property
    def advice(self) -> str:
        """What the administrator can do about it; empty when there is nothing to add."""
        return self.todo.format(**self.fields)

    @property
    def sentence(self) -> str:
        """The message and the advice as one line of text."""
        return "%s. %s" % (self, self.advice) if self.advice else str(self)


class CommandFailed(Error):
    """A program ended with a non-zero exit code, or could not be started."""

    code = "HCI_COMMAND_FAILED"
    msg = "{program} failed ({status}): {stderr}"


class CommandTimeout(CommandFailed):
    """A program did not end within its deadline and was killed."""

    code = "HCI_COMMAND_TIMEOUT"
    msg = "{program} did not end within {timeout} s and was killed"


class InvalidArgument(Error):
    """A caller's argument is missing, unknown or malformed; nothing was changed."""

    code = "HCI_INVALID_ARGUMENT"
    msg = "{name}: {reason}"
    todo = "{way_out}"


class MissingArgument(InvalidArgument):
    """An argument that is needed was not given."""

    code = "HCI_MISSING_ARGUMENT"


class ClusterUnreachable(Error):
    """The Ceph cluster did not answer within the deadline."""

    code = "HCI_CLUSTER_UNREACHABLE"
    msg = "{what}: the Ceph cluster does not answer ({reason})"
    todo = "Check that the monitors are reachable from this host and that the cluster has quorum, then try again"


class Fenced(Error):
    """This client was blocklisted; only a new connection can go on."""

    code = "HCI_FENCED"
    msg = "{what}: this host's Ceph client was blocklisted"
    todo = "Find out why this host was declared dead before using its disks again"


class AccessDenied(Error):
    """The Ceph user may not do this, or its key is wrong."""

    code = "HCI_ACCESS_DENIED"
    msg = "{what}: the cluster refuses Ceph user {user}"
    todo = "Check the user's key and that it has the rbd profile on this pool"


class PoolMissing(Error):
    """The Ceph pool, or the namespace in it, does not exist."""

    code = "HCI_POOL_MISSING"
    msg = "there is no Ceph pool {pool}"
    todo = "Existing pools: {existing}"


class NamespaceMissing(PoolMissing):
    """The pool exists, the namespace in it does not."""

    code = "HCI_NAMESPACE_MISSING"
    msg = "Ceph pool {pool} has no RBD namespace {namespace}"
    todo = "Create it with: rbd namespace create {pool}/{namespace}"


class NoSpace(Error):
    """The pool is full or its quota is reached."""

    code = "HCI_NO_SPACE"
    msg = "{what}: {reason}"
    todo = "Free space, raise the quota or add OSDs"


class CephFailed(Error):
    """Ceph refused an operation in a way that has no error of its own."""

    code = "HCI_CEPH_FAILED"
    msg = "{what}: Ceph reports error {number} ({reason})"


class ObjectMissing(Error):
    """A RADOS object does not exist."""

    code = "HCI_OBJECT_MISSING"
    msg = "there is no object {object} in pool {pool}"


class ObjectExists(Error):
    """A RADOS object exists already."""

    code = "HCI_OBJECT_EXISTS"
    msg = "object {object} exists in pool {pool} already"


class Stale(Error):
    """Somebody changed the object since it was read; read again and decide anew."""

    code = "HCI_STALE"
    msg = "object {object} changed since it was read"


class ImageMissing(Error):
    """An RBD image does not exist."""

    code = "HCI_IMAGE_MISSING"
    msg = "there is no RBD image {image} in pool {pool}"


class ImageExists(Error):
    """An RBD image of this name exists already."""

    code = "HCI_IMAGE_EXISTS"
    msg = "RBD image {image} exists in pool {pool} already"


class DiskNotPaused(Error):
    """The host that runs a disk did not pause it, so no moment of its data can be kept."""

    code = "HCI_DISK_NOT_PAUSED"
    msg = "the host that uses disk {disk} did not pause it"
    todo = "See /var/log/SMlog on that host, then try again"


class SnapshotExists(Error):
    """The image has a snapshot of this name already."""

    code = "HCI_SNAPSHOT_EXISTS"
    msg = "RBD image {image} already has a snapshot {snapshot}"


class ChangesUnknown(Error):
    """The changed blocks between two disks cannot be told; a full backup is the way out."""

    code = "HCI_CHANGES_UNKNOWN"
    msg = "the changes from {since} to {until} cannot be told: {reason}"
    todo = "Make a full backup"


class TooManySnapshots(Error):
    """The image has as many snapshots as the kernel's client can bear."""

    code = "HCI_TOO_MANY_SNAPSHOTS"
    msg = "disk {disk} has {count} snapshots, and may have no more than {limit}"
    todo = "Delete snapshots that are no longer needed"


class SrExists(Error):
    """The pool (namespace) carries an SR already."""

    code = "HCI_SR_EXISTS"
    msg = "Ceph pool {place} already carries SR {existing}"
    todo = (
        "Attach that SR with `xe sr-introduce uuid={existing} type=ceph shared=true name-label=...`, "
        "or use another pool or an RBD namespace (device-config:namespace=...)"
    )


class SrMissing(Error):
    """The pool (namespace) does not carry the SR that was asked for."""

    code = "HCI_SR_MISSING"
    msg = "Ceph pool {place} does not carry SR {sr}"
    todo = "{way_out}"


class SrNotEmpty(Error):
    """The SR still has disks."""

    code = "HCI_SR_NOT_EMPTY"
    msg = "SR {sr} still has {count} disks in its index"
    todo = "Scan the SR and destroy its disks first"


class SchemaUnknown(Error):
    """Data on storage was written by a version of this package that this one does not understand."""

    code = "HCI_SCHEMA_UNKNOWN"
    msg = "{what} has format {found}, this version understands up to {known}"
    todo = "Update xcpng-ceph-hci on this host to the version that the other hosts run"


class IndexDamaged(Error):
    """An entry of the index cannot be read."""

    code = "HCI_INDEX_DAMAGED"
    msg = "entry {key} of the SR's index cannot be read ({reason})"
    todo = "Nothing was changed. Keep the object as it is and restore that entry"


class Contention(Error):
    """A change of the index lost against other changes too many times."""

    code = "HCI_CONTENTION"
    msg = "the index of SR {sr} was changed by others {times} times in a row"
    todo = "Try again"


class DiskMissing(Error):
    """The SR has no such disk."""

    code = "HCI_DISK_MISSING"
    msg = "SR {sr} has no disk {disk}"
    todo = "Scan the SR"


class DiskExists(Error):
    """The SR has a disk of this uuid already."""

    code = "HCI_DISK_EXISTS"
    msg = "there is a disk {disk} already"
    todo = "Scan the SR"


class DiskUnfinished(Error):
    """An earlier operation on the disk did not end; a scan completes or reverts it."""

    code = "HCI_DISK_UNFINISHED"
    msg = "disk {disk} is in state {state}: an operation on it did not end"
    todo = "Scan the SR, then try again"


class DiskInUse(Error):
    """The disk is open somewhere."""

    code = "HCI_DISK_IN_USE"
    msg = "disk {disk} is in use by {user}"
    todo = "{way_out}"


class DiskHeld(DiskInUse):
    """Another host has the disk for writing, so this one may not open it."""

    code = "HCI_DISK_HELD"


class DiskIsSnapshot(Error):
    """What was asked for can be had of a disk only."""

    code = "HCI_DISK_IS_SNAPSHOT"
    msg = "{disk} is a snapshot, which cannot {what}"
    todo = "Use a clone of it: xe vdi-clone uuid={disk}"


class SizeInvalid(Error):
    """The size of a disk cannot be had."""

    code = "HCI_SIZE_INVALID"
    msg = "a disk cannot have {size} bytes: {reason}"
    todo = "Ask for a size from 1 byte to {limit} bytes"


class MappingFailed(Error):
    """An image could not be made a device on this host, or the device could not be removed."""

    code = "HCI_MAPPING_FAILED"
    msg = "{what}: {reason}"


class XapiFailed(Error):
    """XAPI did not answer, or refused."""

    code = "HCI_XAPI_FAILED"
    msg = "{what}: {reason}"
    todo = "Check that the toolstack runs on this host and on the pool's master"


class PluginMissing(Error):
    """A host does not have our plugin, or an older one."""

    code = "HCI_PLUGIN_MISSING"
    msg = "host {host} does not have this version of xcpng-ceph-hci"
    todo = "Install or update it there: yum install xcpng-ceph-hci"


class BindingsMissing(Error):
    """Python cannot load the Ceph bindings."""

    code = "HCI_BINDINGS_MISSING"
    msg = "this host's Python has no Ceph bindings ({reason})"
    todo = "Install them: yum install ceph-common python36-rados python36-rbd"
