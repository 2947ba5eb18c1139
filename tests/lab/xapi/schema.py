"""The datamodel: every class with its fields, every method with its parameters, as xapi 26.1.3 has them.

``recordings/datamodel.json`` holds names and types as Xen-API's public reference gives them, with the fields
that v26.1.3 added; ``recordings/methods.txt`` (what a running xapi lists) decides which methods exist.
"""

import functools
import json
from pathlib import Path
from typing import Any, NamedTuple

from lab.xapi.values import EPOCH, Date, empty

RECORDINGS = Path(__file__).parent / "recordings"
REQUIRED = object()  # stands for "no default"


class Field(NamedTuple):
    """A field of a class; ``kind`` is RW, constructor, runtime, or internal (in no record a client gets)."""

    name: str
    type: str
    kind: str
    default: Any  # REQUIRED when a constructor must be given it
    column: str  # the name that query expressions use


class Parameter(NamedTuple):
    """A parameter of a method after the session."""

    name: str
    type: str
    default: Any


class Method(NamedTuple):
    """A method as clients may call it; ``name`` has the dotted form."""

    name: str
    cls: str
    verb: str
    session: bool
    parameters: tuple[Parameter, ...]
    result: str
    asynchronous: bool
    removed: bool

    @property
    def required(self) -> int:
        """How many arguments a caller must give beside the session."""
        return sum(1 for parameter in self.parameters if parameter.default is REQUIRED)


class Relation(NamedTuple):
    """``child_field`` of class ``child`` refers to a ``parent``, whose ``parent_field`` lists the referrers."""

    child: str
    child_field: str
    parent: str
    parent_field: str


RELATIONS = tuple(
    Relation(*line.split())
    for line in """
        VM snapshot_of VM snapshots
        VDI snapshot_of VDI snapshots
        VM parent VM children
        task subtask_of task subtasks
        PIF bond_slave_of Bond slaves
        Bond master PIF bond_master_of
        VLAN tagged_PIF PIF VLAN_slave_of
        tunnel access_PIF PIF tunnel_access_PIF_of
        tunnel transport_PIF PIF tunnel_transport_PIF_of
        PBD host host PBDs
        PBD SR SR PBDs
        VBD VDI VDI VBDs
        crashdump VDI VDI crash_dumps
        VBD VM VM VBDs
        crashdump VM VM crash_dumps
        VIF VM VM VIFs
        VIF network network VIFs
        Cluster_host cluster Cluster cluster_hosts
        PIF host host PIFs
        PIF network network PIFs
        VDI SR SR VDIs
        VTPM VM VM VTPMs
        console VM VM consoles
        VM resident_on host resident_VMs
        host_cpu host host host_CPUs
        host_crashdump host host crashdumps
        host_patch host host patches
        host_patch pool_patch pool_patch host_patches
        VM protection_policy VMPP VMs
        VM snapshot_schedule VMSS VMs
        VM appliance VM_appliance VMs
        PGPU GPU_group GPU_group PGPUs
        VGPU GPU_group GPU_group VGPUs
        VGPU type VGPU_type VGPUs
        VGPU VM VM VGPUs
        VGPU resident_on PGPU resident_VGPUs
        PCI host host PCIs
        PGPU host host PGPUs
        SR introduced_by DR_task introduced_SRs
        PVS_server site PVS_site servers
        PVS_proxy site PVS_site proxies
        PVS_cache_storage site PVS_site cache_storage
        PUSB host host PUSBs
        PUSB USB_group USB_group PUSBs
        VUSB USB_group USB_group VUSBs
        VUSB VM VM VUSBs
        Feature host host features
        network_sriov physical_PIF PIF sriov_physical_PIF_of
        network_sriov logical_PIF PIF sriov_logical_PIF_of
        Certificate host host certificates
        Driver_variant driver Host_driver variants
    """.strip().splitlines()
)


class Class(NamedTuple):
    """A class of objects."""

    name: str
    fields: dict[str, Field]
    parents: tuple[Relation, ...]  # relations in which this class is the referrer
    children: tuple[Relation, ...]  # relations in which this class is referred to
    has_internal: bool


class Schema:
    """All classes and methods; one instance serves everybody."""

    def __init__(self, model: dict[str, Any], names: list[str]) -> None:
        self.enums: dict[str, list[str]] = model["enums"]
        self.classes = {name: self._class(name, entry) for name, entry in model["classes"].items()}
        self.method_names = names
        self.methods: dict[str, Method] = {}
        for name in names:
            cls, verb = name.split(".", 1)
            self.methods[name] = _method(cls, verb, model["classes"][cls]["messages"][verb])
        self.aliases = {name.replace(".", "_", 1): name for name in names}

    def find(self, wire_name: str) -> Method | None:
        """The method with this wire name, in its dotted or underscored spelling."""
        return self.methods.get(self.aliases.get(wire_name, wire_name))

    def _class(self, name: str, entry: dict[str, Any]) -> Class:
        fields = {key: self._field(key, spec, entry["namespaces"]) for key, spec in entry["fields"].items()}
        parents = tuple(relation for relation in RELATIONS if relation.child == name)
        children = tuple(relation for relation in RELATIONS if relation.parent == name)
        internal = any(field.kind == "internal" for field in fields.values())
        return Class(name, fields, parents, children, internal)

    def _field(self, name: str, spec: list[Any], namespaces: list[str]) -> Field:
        default = _typed(spec[0], spec[2]) if len(spec) > 2 else REQUIRED
        column = name
        for space in namespaces:
            if name.startswith(space + "_"):
                column = "%s__%s" % (space, name[len(space) + 1 :])
        return Field(name, spec[0], spec[1], default, column)

    def initial(self, field: Field) -> Any:
        """The value a new object gets when its creator does not say."""
        if field.default is not REQUIRED:
            return field.default
        if field.type.startswith("enum ") and " " not in field.type[5:]:
            return self.enums.get(field.type[5:], [""])[0]
        return empty(field.type)


def _typed(type_name: str, value: Any) -> Any:
    if type_name == "datetime":
        return EPOCH if value == "" else Date(value)
    if type_name == "float":
        return float(value)
    return value


def _method(cls: str, verb: str, spec: list[Any]) -> Method:
    parameters = spec[0]
    session = bool(parameters) and parameters[0][0] == "session_id"
    rest = parameters[1:] if session else parameters
    return Method(
        "%s.%s" % (cls, verb),
        cls,
        verb,
        session,
        tuple(Parameter(p[0], p[1], _typed(p[1], p[2]) if len(p) > 2 else REQUIRED) for p in rest),
        spec[1],
        spec[2] == 1,
        spec[2] == 2,
    )


@functools.cache
def schema() -> Schema:
    """The datamodel, read once."""
    model = json.loads((RECORDINGS / "datamodel.json").read_text(encoding="utf-8"))
    names = (RECORDINGS / "methods.txt").read_text(encoding="utf-8").split()
    return Schema(model, names)
