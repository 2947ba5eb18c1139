"""Verbs on the pool, hosts, VMs, tasks, secrets, messages and events."""

import XenAPI

from lab.xe.client import NULL, Client
from lab.xe.cmdline import STANDARD, CliFailure, Command
from lab.xe.fields import API_CLASS
from lab.xe.files import replaced
from lab.xe.objects import Thing, UnknownField, all_things, filtered
from lab.xe.printer import Printer
from lab.xe.registry import simple, verb

MIB = 1024 * 1024
EVENT_TIMEOUT = 30.0  # seconds of one event.from call
FUSE_TIME = "10."  # what the real program says about the restart of the joining host

simple("task-cancel", "task.cancel")
simple("secret-destroy", "secret.destroy")
simple("message-destroy", "message.destroy")
simple("host-forget", "host.destroy")


@verb("host-call-plugin", "host-uuid", "plugin", "fn")
def host_call_plugin(client: Client, command: Command, printer: Printer) -> None:
    """Call a function of a plugin; prints its result."""
    host = client.call("host.get_by_uuid", command.required("host-uuid"))
    args = replaced(command.mapping("args"), ":file")
    result = client.call("host.call_plugin", host, command.required("plugin"), command.required("fn"), args)
    printer.lines([result])


@verb("pool-join", "master-address", "master-username", "master-password")
def pool_join(client: Client, command: Command, printer: Printer) -> None:
    """Make this host a member of another pool."""
    method = "pool.join_force" if command.flag("force") else "pool.join"
    names = ("master-address", "master-username", "master-password")
    try:
        client.call(method, *(command.required(name) for name in names))
    except XenAPI.Failure as failure:
        if failure.details[0] != "POOL_JOINING_HOST_CONNECTION_FAILED":
            raise
        printer.lines(["Host cannot contact destination host: connection refused."])
        printer.lines(["Check destination host has services running and accessible from this host."])
        return
    printer.lines([f"Host agent will restart and attempt to join pool in {FUSE_TIME} seconds..."])


@verb("pool-eject", "host-uuid")
def pool_eject(client: Client, command: Command, _: Printer) -> None:
    """Take a host out of the pool."""
    client.call("pool.eject", client.call("host.get_by_uuid", command.required("host-uuid")))


@verb("pool-designate-new-master", "host-uuid")
def pool_designate_new_master(client: Client, command: Command, _: Printer) -> None:
    """Hand the pool to another host."""
    client.call("pool.designate_new_master", client.call("host.get_by_uuid", command.required("host-uuid")))


@verb("host-disable")
def host_disable(client: Client, command: Command, _: Printer) -> None:
    """Let no new VM start on a host."""
    host = _selected(client, "host", command, ("auto-enable",)).ref
    client.call("host.disable", host, command.flag("auto-enable", True))


@verb("host-enable")
def host_enable(client: Client, command: Command, _: Printer) -> None:
    """Let VMs start on a host."""
    host = _selected(client, "host", command, ()).ref
    client.call("host.remove_from_other_config", host, "MAINTENANCE_MODE")
    client.call("host.enable", host)


@verb("host-evacuate")
def host_evacuate(client: Client, command: Command, _: Printer) -> None:
    """Move all VMs away from a host."""
    client.call("host.evacuate", _selected(client, "host", command, ()).ref)


def _selected(client: Client, kind: str, command: Command, ignored: tuple[str, ...]) -> Thing:
    """The only object that the selector (``vm=``, ``host=``: a name or UUID) and the field filters leave."""
    selector = command.find(kind)
    filters = [
        (name, value)
        for name, value in command.params
        if name.split(":")[0] not in (*STANDARD, *ignored, kind, "params")
    ]
    if kind == "vm":
        filters.append(("is-a-template", "false"))
    things = all_things(client, kind)
    if selector is not None:
        things = _named(things, selector)
    cls = API_CLASS[kind]
    plural = {"vm": "VMs", "host": "hosts"}[kind]
    try:
        things = filtered(things, filters)
    except UnknownField as unknown:
        raise CliFailure(
            f"Parameter '{unknown}' is not a field of the {cls} class. Failed to select {cls} for operation."
        ) from unknown
    if not things:
        raise CliFailure(f"No matching {plural} found")
    if len(things) > 1:
        raise CliFailure(f"Multiple matches {plural} found. --multiple required to complete the operation")
    return things[0]


def _named(things: list[Thing], name: str) -> list[Thing]:
    return [thing for thing in things if name in (thing.record["uuid"], thing.record["name_label"])]


@verb("vm-create", "name-label")
def vm_create(client: Client, command: Command, printer: Printer) -> None:
    """Make a VM without disks."""
    record = {
        "name_label": command.required("name-label"),
        "name_description": command.text("name-description"),
        "user_version": "0",
        "is_a_template": False,
        "affinity": NULL,
        "memory_target": str(256 * MIB),
        "memory_static_max": str(256 * MIB),
        "memory_dynamic_max": str(256 * MIB),
        "memory_dynamic_min": str(128 * MIB),
        "memory_static_min": str(128 * MIB),
        "VCPUs_params": {},
        "VCPUs_max": "1",
        "VCPUs_at_startup": "1",
        "actions_after_shutdown": "destroy",
        "actions_after_reboot": "restart",
        "actions_after_crash": "destroy",
        **dict.fromkeys(("PV_bootloader", "PV_kernel", "PV_ramdisk", "PV_args", "PV_bootloader_args"), ""),
        **dict.fromkeys(("PV_legacy_args", "HVM_boot_policy", "PCI_bus", "recommendations"), ""),
        "HVM_boot_params": {},
        "platform": {},
        "other_config": {},
        "HVM_shadow_multiplier": 1.0,
    }
    printer.lines([client.call("VM.get_uuid", client.call("VM.create", record))])


@verb("vm-start")
def vm_start(client: Client, command: Command, _: Printer) -> None:
    """Start a VM, on the host given by ``on`` or any other."""
    vm = _selected(client, "vm", command, ("on", "paused", "progress"))
    paused, force = command.flag("paused"), command.flag("force")
    host = command.find("on")
    if host is None:
        client.task("VM.start", vm.ref, paused, force)
        return
    found = _named(all_things(client, "host"), host)
    if not found:
        raise CliFailure(f"Host {host} not found")
    client.task("VM.start_on", vm.ref, found[0].ref, paused, force)


@verb("vm-shutdown")
def vm_shutdown(client: Client, command: Command, _: Printer) -> None:
    """Shut a VM down: asking the guest, or with ``force`` at once."""
    vm = _selected(client, "vm", command, ("progress",))
    client.task("VM.hard_shutdown" if command.flag("force") else "VM.clean_shutdown", vm.ref)


@verb("vm-reboot")
def vm_reboot(client: Client, command: Command, _: Printer) -> None:
    """Reboot a VM: asking the guest, or with ``force`` at once."""
    vm = _selected(client, "vm", command, ())
    client.call("VM.hard_reboot" if command.flag("force") else "VM.clean_reboot", vm.ref)


@verb("vm-destroy", "uuid")
def vm_destroy(client: Client, command: Command, _: Printer) -> None:
    """Remove the record of a VM; its disks stay."""
    vm = client.call("VM.get_by_uuid", command.required("uuid"))
    if client.call("VM.get_is_control_domain", vm):
        raise XenAPI.Failure(["OPERATION_NOT_ALLOWED", "You cannot destroy a control domain via the CLI"])
    client.call("VM.destroy", vm)


@verb("secret-create", "value")
def secret_create(client: Client, command: Command, printer: Printer) -> None:
    """Keep a secret; prints its UUID."""
    record = {"value": command.required("value"), "other_config": command.mapping("other-config")}
    printer.lines([client.call("secret.get_uuid", client.call("secret.create", record))])


@verb("message-create", "name", "priority", "body")
def message_create(client: Client, command: Command, _: Printer) -> None:
    """Leave a message about an object."""
    try:
        priority = int(command.required("priority"))
    except ValueError:
        raise CliFailure("Priority field should be an integer") from None
    for param, cls in (("vm-uuid", "VM"), ("pool-uuid", "Pool"), ("sr-uuid", "SR"), ("host-uuid", "Host")):
        uuid = command.find(param)
        if uuid is not None:
            name, body = command.required("name"), command.required("body")
            client.call("message.create", name, priority, cls, uuid, body)
            return
    raise CliFailure("Need one of: vm-uuid, host-uuid, sr-uuid or pool-uuid")


@verb("event-wait", "class")
def event_wait(client: Client, command: Command, _: Printer) -> None:
    """Wait until an object of the class has the given fields; ``key=/=value`` means another value."""
    kind = command.required("class")
    if kind not in API_CLASS:
        raise CliFailure(f"Cli listening for class '{kind}' not currently implemented")
    token = ""
    while not any(_satisfies(thing, command.others("class")) for thing in all_things(client, kind)):
        token = client.call("event.from", [API_CLASS[kind]], token, EVENT_TIMEOUT)["token"]


def _satisfies(thing: Thing, wanted: list[tuple[str, str]]) -> bool:
    for name, value in wanted:
        try:
            text = thing.text(thing.field(name))
        except UnknownField:
            raise CliFailure(f"key missing: {name}") from None
        differs = value.startswith("/=")
        if (text == value.removeprefix("/=")) == differs:
            return False
    return True
