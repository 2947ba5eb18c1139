"""What ``xe`` says for the errors that have a description: the sentence, and a name for each parameter."""

TEXTS: dict[str, tuple[str, tuple[str, ...]]] = {
    "CANNOT_CONTACT_HOST": (
        "Cannot forward messages because the server cannot be contacted. The server may be switched"
        " off or there may be network connectivity problems.",
        ("host",),
    ),
    "DEVICE_ALREADY_ATTACHED": ("The device is already attached to a VM", ("device",)),
    "DEVICE_ALREADY_DETACHED": ("The device is not currently attached", ("device",)),
    "DEVICE_ALREADY_EXISTS": ("A device with the name given already exists on the selected VM", ("device",)),
    "DEVICE_DETACH_REJECTED": ("The VM rejected the attempt to detach the device.", ("type", "ref", "msg")),
    "DEVICE_DETACH_TIMEOUT": (
        "A timeout happened while attempting to detach a device from a VM.",
        ("type", "ref"),
    ),
    "DEVICE_NOT_ATTACHED": (
        "The operation could not be performed because the VBD was not connected to the VM.",
        ("VBD",),
    ),
    "EVENTS_LOST": ("Some events have been lost from the queue and cannot be retrieved.", ()),
    "EVENT_FROM_TOKEN_PARSE_FAILURE": (
        "The event.from token could not be parsed. Valid values include: '', and a value returned "
        "from a previous event.from call.",
        ("token",),
    ),
    "FIELD_TYPE_ERROR": ("The value specified is of the wrong type", ("field",)),
    "HANDLE_INVALID": (
        "You gave an invalid object reference. The object may have recently been deleted. The class"
        " parameter gives the type of reference given, and the handle parameter echoes the bad "
        "value given.",
        ("class", "handle"),
    ),
    "HOST_CANNOT_ATTACH_NETWORK": (
        "Server cannot attach network (in the case of NIC bonding, this may be because attaching "
        "the network on this server would require other networks - that are currently active - to "
        "be taken down).",
        ("host", "network"),
    ),
    "HOST_DISABLED": ("The specified server is disabled.", ("host",)),
    "HOST_IN_USE": (
        "This operation cannot be completed as the host is in use by (at least) the object of type "
        "and ref echoed below.",
        ("host", "type", "ref"),
    ),
    "HOST_IS_SLAVE": (
        "You cannot make regular API calls directly on a supporter. Please pass API calls via the coordinator host.",
        ("Master IP address",),
    ),
    "HOST_NOT_ENOUGH_FREE_MEMORY": (
        "Not enough server memory is available to perform this operation.",
        ("needed", "available"),
    ),
    "HOST_NOT_LIVE": ("This operation cannot be completed as the server is not live.", ()),
    "HOST_OFFLINE": (
        "You attempted an operation which involves a host which could not be contacted.",
        ("host",),
    ),
    "HOST_STILL_BOOTING": ("The host toolstack is still initialising. Please wait.", ()),
    "INTERNAL_ERROR": (
        "The server failed to handle your request, due to an internal error. The given message may "
        "give details useful for debugging the problem.",
        ("message",),
    ),
    "INVALID_DEVICE": ("The device name is invalid", ("device",)),
    "INVALID_VALUE": ("The value given is invalid", ("field", "value")),
    "LOCATION_NOT_UNIQUE": (
        "A VDI with the specified location already exists within the SR",
        ("SR", "location"),
    ),
    "MAP_DUPLICATE_KEY": (
        "You tried to add a key-value pair to a map, but that key is already there.",
        ("type", "param_name", "uuid", "key"),
    ),
    "MESSAGE_DEPRECATED": ("This message has been deprecated.", ()),
    "MESSAGE_METHOD_UNKNOWN": (
        "You tried to call a method that does not exist. The method name that you used is echoed.",
        ("method",),
    ),
    "MESSAGE_PARAMETER_COUNT_MISMATCH": (
        "You tried to call a method with the incorrect number of parameters. The fully-qualified "
        "method name that you used, and the number of received and expected parameters are "
        "returned.",
        ("method", "expected", "received"),
    ),
    "MESSAGE_REMOVED": ("This function is no longer available.", ()),
    "NOT_IMPLEMENTED": ("The function is not implemented", ("function",)),
    "NO_HOSTS_AVAILABLE": ("There were no servers available to complete the specified operation.", ()),
    "OPERATION_BLOCKED": (
        "You attempted an operation that was explicitly blocked (see the blocked_operations field "
        "of the given object).",
        ("ref", "code"),
    ),
    "OPERATION_NOT_ALLOWED": ("You attempted an operation that was not allowed.", ("reason",)),
    "OTHER_OPERATION_IN_PROGRESS": (
        "Another operation involving the object is currently in progress",
        ("class", "object", "operation_type", "operation_ref"),
    ),
    "PBD_EXISTS": ("A PBD already exists connecting the SR to the server.", ("sr", "host", "pbd")),
    "PERMISSION_DENIED": ("Caller not allowed to perform this operation.", ("message",)),
    "POOL_JOINING_HOST_CANNOT_CONTAIN_SHARED_SRS": (
        "The server joining the pool cannot contain any shared storage.",
        (),
    ),
    "POOL_JOINING_HOST_CANNOT_HAVE_RUNNING_VMS": (
        "The server joining the pool cannot have any running VMs.",
        (),
    ),
    "POOL_JOINING_HOST_CONNECTION_FAILED": (
        "There was an error connecting to the host while joining it in the pool.",
        (),
    ),
    "SESSION_AUTHENTICATION_FAILED": (
        "The credentials given by the user are incorrect, so access has been denied, and you have "
        "not been issued a session handle.",
        (),
    ),
    "SESSION_INVALID": (
        "You gave an invalid session reference. It may have been invalidated by a server restart, "
        "or timed out. You should get a new session handle, using one of the session.login_ calls. "
        "This error does not invalidate the current connection. The handle parameter echoes the bad"
        " value given.",
        ("handle",),
    ),
    "SR_BACKEND_FAILURE": ("There was an SR backend failure.", ("status", "stdout", "stderr")),
    "SR_DEVICE_IN_USE": (
        "The SR operation cannot be performed because a device underlying the SR is in use by the server.",
        (),
    ),
    "SR_HAS_PBD": (
        "The SR is still connected to a host via a PBD. It cannot be destroyed or forgotten.",
        ("sr",),
    ),
    "SR_INDESTRUCTIBLE": (
        "The SR could not be destroyed because the 'indestructible' flag was set on it.",
        ("sr",),
    ),
    "SR_NOT_ATTACHED": ("The SR is not attached.", ("sr",)),
    "SR_NOT_EMPTY": ("The SR operation cannot be performed because the SR is not empty.", ()),
    "SR_NOT_SHARABLE": (
        "The PBD could not be plugged because the SR is in use by another host and is not marked as sharable.",
        ("sr", "host"),
    ),
    "SR_NO_PBDS": ("The SR has no attached PBDs", ("sr",)),
    "SR_OPERATION_NOT_SUPPORTED": (
        "The SR backend does not support the operation (check the SR's allowed operations)",
        ("sr",),
    ),
    "SR_UNKNOWN_DRIVER": (
        "The SR could not be connected because the driver was not recognised.",
        ("driver",),
    ),
    "SR_UUID_EXISTS": ("An SR with that uuid already exists.", ("uuid",)),
    "TASK_CANCELLED": ("The request was asynchronously canceled.", ("task",)),
    "UNIMPLEMENTED_IN_SM_BACKEND": ("You have attempted a function which is not implemented", ("message",)),
    "UUID_INVALID": ("The uuid you supplied was invalid.", ("type", "uuid")),
    "VALUE_NOT_SUPPORTED": (
        "You attempted to set a value that is not supported by this implementation. The fully-"
        "qualified field name and the value that you tried to set are returned. Also returned is a "
        "developer-only diagnostic reason.",
        ("field", "value", "reason"),
    ),
    "VBD_CDS_MUST_BE_READONLY": ("Read/write CDs are not supported", ()),
    "VBD_IS_EMPTY": ("Operation could not be performed because the drive is empty", ("vbd",)),
    "VBD_NOT_EMPTY": ("Operation could not be performed because the drive is not empty", ("vbd",)),
    "VDI_INCOMPATIBLE_TYPE": (
        "This operation cannot be performed because the specified VDI is of an incompatible type "
        "(eg: an HA statefile cannot be attached to a guest)",
        ("vdi", "type"),
    ),
    "VDI_IN_USE": (
        "This operation cannot be performed because this VDI is in use by some other operation",
        ("vdi", "operation"),
    ),
    "VDI_MISSING": (
        "This operation cannot be performed because the specified VDI could not be found on the storage substrate",
        ("sr", "vdi"),
    ),
    "VDI_NOT_AVAILABLE": (
        "This operation cannot be performed because this VDI could not be properly attached to the VM.",
        ("vdi",),
    ),
    "VDI_NOT_MANAGED": (
        "This operation cannot be performed because the system does not manage this VDI",
        ("vdi",),
    ),
    "VDI_READONLY": ("The operation required write access but this VDI is read-only", ("vdi",)),
    "VDI_TOO_SMALL": (
        "The VDI is too small. Please resize it to at least the minimum size.",
        ("vdi", "minimum size"),
    ),
    "VM_BAD_POWER_STATE": (
        "You attempted an operation on a VM that was not in an appropriate power state at the time;"
        " for example, you attempted to start a VM that was already running. The parameters "
        "returned are the VM's handle, and the expected and actual VM state at the time of the "
        "call.",
        ("vm", "expected", "actual"),
    ),
    "VM_DUPLICATE_VBD_DEVICE": (
        "The specified VM has a duplicate VBD device and cannot be started.",
        ("vm", "vbd", "device"),
    ),
    "VM_IS_TEMPLATE": ("The operation attempted is not valid for a template VM", ("vm",)),
    "VM_LACKS_FEATURE": ("You attempted an operation on a VM which lacks the feature.", ("vm",)),
    "VM_MISSING_PV_DRIVERS": (
        "You attempted an operation on a VM which requires PV drivers to be installed but the "
        "drivers were not detected.",
        ("vm",),
    ),
    "XAPI_HOOK_FAILED": ("3rd party xapi hook failed", ("hook_name", "reason", "stdout", "exit_code")),
    "XENAPI_MISSING_PLUGIN": ("The requested plug-in could not be found.", ("name",)),
    "XENAPI_PLUGIN_FAILURE": (
        "There was a failure communicating with the plug-in.",
        ("status", "stdout", "stderr"),
    ),
    "XMLRPC_UNMARSHAL_FAILURE": (
        "The server failed to unmarshal the XMLRPC message; it was expecting one element and received something else.",
        ("expected", "received"),
    ),
}
