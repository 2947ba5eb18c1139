"""Verbs on storage repositories, their connections to hosts, and disks."""

import time

import XenAPI

from lab.xe.client import NULL, Client
from lab.xe.cmdline import CliFailure, Command, to_bytes
from lab.xe.files import replaced
from lab.xe.printer import Printer
from lab.xe.registry import simple, verb

EPOCH = "19700101T00:00:00Z"
VDI_TYPES = ("system", "user", "suspend", "crashdump")
POLL = 5.0  # seconds between looks at a device that the guest still holds

for name, method in (
    ("sr-scan", "SR.scan"),
    ("sr-update", "SR.update"),
    ("sr-destroy", "SR.destroy"),
    ("sr-forget", "SR.forget"),
    ("pbd-plug", "PBD.plug"),
    ("pbd-unplug", "PBD.unplug"),
    ("pbd-destroy", "PBD.destroy"),
    ("vdi-destroy", "VDI.destroy"),
    ("vdi-forget", "VDI.forget"),
    ("vdi-update", "VDI.update"),
    ("vdi-enable-cbt", "VDI.enable_cbt"),
    ("vdi-disable-cbt", "VDI.disable_cbt"),
    ("vdi-data-destroy", "VDI.data_destroy"),
    ("vbd-plug", "VBD.plug"),
    ("vbd-destroy", "VBD.destroy"),
):
    simple(name, method)


def _by_uuid(client: Client, cls: str, command: Command, name: str = "uuid") -> str:
    return str(client.call(cls + ".get_by_uuid", command.required(name)))


def _host(client: Client, command: Command, default_master: bool) -> str:
    """The host given, or the master, or the only host; raises CliFailure when one must be chosen."""
    if command.find("host-uuid") is not None:
        return _by_uuid(client, "host", command, "host-uuid")
    hosts = client.call("host.get_all")
    if default_master or len(hosts) == 1:
        return str(client.call("pool.get_master", client.call("pool.get_all")[0]))
    raise CliFailure("Required parameter not found: host-uuid")


@verb("sr-create", "name-label", "type")
def sr_create(client: Client, command: Command, printer: Printer) -> None:
    """Create a repository and plug it; prints its UUID even where plugging failed."""
    shared = command.flag("shared")
    try:
        size = to_bytes("physical-size", command.text("physical-size", "0"))
    except CliFailure:
        size = 0
    device_config = replaced(command.mapping("device-config"), "-filename")
    sr = client.call(
        "SR.create",
        _host(client, command, shared),
        device_config,
        size,
        command.required("name-label"),
        "",
        command.required("type"),
        command.text("content-type"),
        shared,
        command.mapping("sm-config"),
    )
    printer.message(client.call("SR.get_uuid", sr))


@verb("sr-introduce", "name-label", "type", "uuid")
def sr_introduce(client: Client, command: Command, printer: Printer) -> None:
    """Make the record of a repository that exists already."""
    client.call(
        "SR.introduce",
        command.required("uuid"),
        command.required("name-label"),
        "",
        command.required("type"),
        command.text("content-type"),
        command.flag("shared"),
        command.mapping("sm-config"),
    )
    printer.lines([command.required("uuid")])


@verb("sr-probe", "type")
def sr_probe(client: Client, command: Command, printer: Printer) -> None:
    """Ask a driver what it finds; prints its text."""
    host = _host(client, command, default_master=True)
    config, sm_config = command.mapping("device-config"), command.mapping("sm-config")
    printer.lines([client.call("SR.probe", host, config, command.required("type"), sm_config)])


@verb("sr-probe-ext", "type")
def sr_probe_ext(client: Client, command: Command, printer: Printer) -> None:
    """The structured form of sr-probe."""
    host = _host(client, command, default_master=True)
    config, sm_config = command.mapping("device-config"), command.mapping("sm-config")
    found = client.call("SR.probe_ext", host, config, command.required("type"), sm_config)
    printer.lines([str(result) for result in found])


@verb("pbd-create", "host-uuid", "sr-uuid")
def pbd_create(client: Client, command: Command, printer: Printer) -> None:
    """Make the connection of a repository to a host; it is not plugged."""
    record = {
        "host": _by_uuid(client, "host", command, "host-uuid"),
        "SR": _by_uuid(client, "SR", command, "sr-uuid"),
        "device_config": command.mapping("device-config"),
        "other_config": {},
    }
    printer.lines([client.call("PBD.get_uuid", client.call("PBD.create", record))])


@verb("vdi-create", "sr-uuid", "name-label", "virtual-size")
def vdi_create(client: Client, command: Command, printer: Printer) -> None:
    """Create a disk."""
    record = {
        "SR": _by_uuid(client, "SR", command, "sr-uuid"),
        "name_label": command.required("name-label"),
        "name_description": "",
        "virtual_size": str(to_bytes("virtual-size", command.required("virtual-size"))),
        "type": _vdi_type(command.text("type", "user")),
        "sharable": command.flag("sharable"),
        "read_only": False,
        "xenstore_data": {},
        "other_config": {},
        "sm_config": command.mapping("sm-config"),
        "tags": list(command.mapping("tags")),
    }
    printer.lines([client.call("VDI.get_uuid", client.call("VDI.create", record))])


def _vdi_type(name: str) -> str:
    if name not in VDI_TYPES:
        raise CliFailure(f"Unknown vdi type: {name}")
    return name


@verb("vdi-introduce", "uuid", "sr-uuid", "type", "location")
def vdi_introduce(client: Client, command: Command, printer: Printer) -> None:
    """Make the record of a disk that exists already in its repository."""
    vdi = client.call(
        "VDI.introduce",
        command.required("uuid"),
        command.text("name-label"),
        command.text("name-description"),
        _by_uuid(client, "SR", command, "sr-uuid"),
        _vdi_type(command.required("type")),
        command.flag("sharable"),
        command.flag("read-only"),
        command.mapping("other-config"),
        command.required("location"),
        command.mapping("xenstore-data"),
        command.mapping("sm-config"),
        command.flag("managed"),
        0,
        0,
        NULL,
        False,
        XenAPI.xmlrpclib.DateTime(EPOCH),
        NULL,
    )
    printer.lines([client.call("VDI.get_uuid", vdi)])


@verb("vdi-snapshot", "uuid")
def vdi_snapshot(client: Client, command: Command, printer: Printer) -> None:
    """Snapshot a disk."""
    vdi = _by_uuid(client, "VDI", command)
    copy = client.call("VDI.snapshot", vdi, command.mapping("driver-params"))
    printer.lines([client.call("VDI.get_uuid", copy)])


@verb("vdi-clone", "uuid")
def vdi_clone(client: Client, command: Command, printer: Printer) -> None:
    """Clone a disk and name the clone."""
    vdi = _by_uuid(client, "VDI", command)
    copy = client.call("VDI.clone", vdi, command.mapping("driver-params"))
    for field in ("name-label", "name-description"):
        value = command.find("new-" + field)
        if value is not None:
            client.call("VDI.set_" + field.replace("-", "_"), copy, value)
    printer.lines([client.call("VDI.get_uuid", copy)])


@verb("vdi-resize", "uuid", "disk-size")
def vdi_resize(client: Client, command: Command, _: Printer) -> None:
    """Change the size of a disk."""
    vdi = _by_uuid(client, "VDI", command)
    size = to_bytes("disk-size", command.required("disk-size"))
    client.call("VDI.resize_online" if command.find("online") == "true" else "VDI.resize", vdi, size)


@verb("vdi-list-changed-blocks", "vdi-from-uuid", "vdi-to-uuid")
def vdi_list_changed_blocks(client: Client, command: Command, printer: Printer) -> None:
    """Print the bitmap of what changed from one disk to another."""
    disks = [_by_uuid(client, "VDI", command, name) for name in ("vdi-from-uuid", "vdi-to-uuid")]
    printer.message(str(client.call("VDI.list_changed_blocks", *disks)))


@verb("vdi-copy", "uuid")
def vdi_copy(client: Client, command: Command, printer: Printer) -> None:
    """Copy a disk into a repository or into another disk."""
    vdi = _by_uuid(client, "VDI", command)
    base = _by_uuid(client, "VDI", command, "base-vdi-uuid") if command.find("base-vdi-uuid") else NULL
    if (command.find("sr-uuid") is None) == (command.find("into-vdi-uuid") is None):
        raise CliFailure(
            "Please specify one but not both of: a destination sr-uuid (I will create a fresh VDI); "
            "or a destination into-vdi-uuid (I will copy the blocks into this VDI)"
        )
    sr = _by_uuid(client, "SR", command, "sr-uuid") if command.find("sr-uuid") else NULL
    into = _by_uuid(client, "VDI", command, "into-vdi-uuid") if command.find("into-vdi-uuid") else NULL
    printer.lines([client.call("VDI.get_uuid", client.call("VDI.copy", vdi, sr, base, into))])


@verb("vbd-create", "vm-uuid", "device")
def vbd_create(client: Client, command: Command, printer: Printer) -> None:
    """Make the connection of a disk to a VM; it is not plugged."""
    mode, kind = command.text("mode", "rw").lower(), command.text("type", "disk").lower()
    if mode not in ("ro", "rw"):
        raise CliFailure(f'Unknown mode: {mode} (should be "ro" or "rw"')
    if kind not in ("cd", "disk", "floppy"):
        raise CliFailure(f'"Unknown type: {kind} (should be "cd", "disk" or "floppy"')
    empty = command.find("vdi-uuid") is None
    if empty and kind == "disk":
        raise CliFailure("Empty VBDs can only be made for type=CD")
    record = {
        "VM": _by_uuid(client, "VM", command, "vm-uuid"),
        "VDI": NULL if empty else _by_uuid(client, "VDI", command, "vdi-uuid"),
        "userdevice": command.required("device"),
        "bootable": command.flag("bootable"),
        "mode": mode.upper(),
        "type": {"cd": "CD", "disk": "Disk", "floppy": "Floppy"}[kind],
        "unpluggable": command.flag("unpluggable", True),
        "empty": empty,
        "qos_algorithm_type": "",
        "qos_algorithm_params": {},
        "other_config": {},
    }
    printer.lines([client.call("VBD.get_uuid", client.call("VBD.create", record))])


@verb("vbd-unplug", "uuid")
def vbd_unplug(client: Client, command: Command, _: Printer) -> None:
    """Unplug a disk; with ``timeout`` wait for a guest that does not let go at once."""
    vbd = _by_uuid(client, "VBD", command)
    deadline = time.monotonic() + _seconds(command.text("timeout", "0"))
    try:
        client.call("VBD.unplug_force" if command.flag("force") else "VBD.unplug", vbd)
    except XenAPI.Failure as failure:
        if failure.details[0] != "DEVICE_DETACH_REJECTED":
            raise
        while time.monotonic() < deadline:
            time.sleep(POLL)
            if not client.call("VBD.get_currently_attached", vbd):
                return
        raise


def _seconds(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise CliFailure("Failed to parse parameter 'timeout': expecting a float") from None
