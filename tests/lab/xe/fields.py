"""The fields of every class as ``xe`` names them, and what is shown by default.

One word per field: ``name``, ``=`` and the API's field where it is not the name with underscores, ``:`` and
flags: ``w`` writable, ``s`` set, ``a`` members can be added, ``m`` map, ``A`` keys can be added, ``c``
joined by commas, ``n`` shows the name of the object referred to, ``l`` lower-case, ``u`` capitalised,
``o`` storage operations, ``d`` deprecated, ``h`` hidden, ``S`` the host of a storage repository.
"""

from dataclasses import dataclass

API_CLASS = {
    "pool": "pool",
    "host": "host",
    "sr": "SR",
    "pbd": "PBD",
    "vdi": "VDI",
    "vbd": "VBD",
    "vm": "VM",
    "template": "VM",
    "snapshot": "VM",
    "sm": "SM",
    "task": "task",
    "message": "message",
    "secret": "secret",
    "network": "network",
    "pif": "PIF",
    "console": "console",
}

LISTED = {
    "pool": "uuid name-label name-description master default-SR",
    "host": "uuid name-label name-description",
    "sr": "uuid name-label name-description host type content-type",
    "pbd": "uuid host-uuid sr-uuid device-config currently-attached",
    "vdi": "uuid name-label name-description virtual-size read-only sharable sr-uuid",
    "vbd": "uuid vm-uuid vm-name-label vdi-uuid device empty",
    "vm": "name-label uuid power-state",
    "template": "name-label name-description uuid",
    "snapshot": "name-label name-description uuid is-vmss-snapshot",
    "sm": "uuid type name-label name-description vendor copyright configuration",
    "task": "uuid name-label name-description status progress",
    "network": "uuid name-label name-description bridge",
    "pif": "uuid device VLAN MAC network-uuid currently-attached host-uuid",
    "console": "uuid vm-uuid vm-name-label protocol location",
}

# Filters that a list has without being asked.
ALWAYS = {
    "vm": [("is-a-template", "false")],
    "template": [("is-a-template", "true"), ("is-a-snapshot", "false")],
    "snapshot": [("is-a-snapshot", "true")],
}

WORDS = {
    "pool": """uuid name-label:w name-description:w master default-SR:w crash-dump-SR:w suspend-image-SR:w
        other-config:mA allowed-operations:s current-operations:s ha-enabled ha-configuration
        ha-statefiles ha-host-failures-to-tolerate:w ha-plan-exists-for ha-allow-overcommit:w
        ha-overcommitted ha-reboot-vm-on-internal-shutdown:w blobs wlb-url wlb-username wlb-enabled:w
        wlb-verify-cert:w igmp-snooping-enabled:w gui-config:mA health-check-config:mA
        vswitch-controller:h restrictions tags:sac ha-cluster-stack guest-agent-config:mA cpu_info:m
        policy-no-vendor-device:w live-patching-disabled:w uefi-certificates:wh
        custom-uefi-certificates:wh tls-verification-enabled client-certificate-auth-enabled
        client-certificate-auth-name repositories:wsa repository-proxy-url repository-proxy-username
        migration-compression:w coordinator-bias:w telemetry-frequency telemetry-next-collection
        last-update-sync update-sync-frequency update-sync-day update-sync-enabled recommendations:m
        license-server:mA limit-console-sessions:w vm-console-idle-timeout:w""",
    "host": """uuid name-label:w name-description:w allowed-operations:s current-operations:s enabled display
        API-version-major API-version-minor API-version-vendor API-version-vendor-implementation:m
        logging:mA suspend-image-sr-uuid=suspend_image_sr:w crash-dump-sr-uuid=crash_dump_sr:w
        software-version:m capabilities:s other-config:mA cpu_info:m chipset-info:m hostname address
        https-only supported-bootloaders:s blobs memory-overhead ha-statefiles ha-network-peers
        external-auth-type external-auth-service-name external-auth-configuration:m edition
        license-server:m power-on-mode power-on-config:m local-cache-sr tags:sac ssl-legacy
        guest_VCPUs_params:mA virtual-hardware-platform-versions:s control-domain-uuid=control_domain
        resident-vms=resident_VMs:s updates-requiring-reboot:s features:s iscsi_iqn:w multipathing:w
        uefi-certificates:wh numa-affinity-policy:w pending-guidances tls-verification-enabled
        last-software-update latest-synced-updates-applied pending-guidances-recommended
        pending-guidances-full last-update-hash ssh-enabled ssh-enabled-timeout:w ssh-expiry
        console-idle-timeout:w ssh-auto-mode:w max-cstate:w secure-boot ntp-mode:w
        ntp-custom-servers:wsc timezone:w""",
    "sr": """uuid name-label:w name-description:w host=PBDs:S allowed-operations:so current-operations:so
        VDIs:s PBDs:s virtual-allocation physical-utilisation physical-size type content-type shared:w
        introduced-by is-tools-sr other-config:mA sm-config:m blobs local-cache-enabled tags:sac
        clustered""",
    "pbd": """uuid host:d host-uuid=host host-name-label=host:n sr-uuid=SR sr-name-label=SR:n
        device-config:m currently-attached other-config:mA""",
    "vdi": """uuid name-label:w name-description:w is-a-snapshot snapshot-of snapshots snapshot-time
        allowed-operations:s current-operations:s sr-uuid=SR sr-name-label=SR:n vbd-uuids=VBDs:s
        crashdump-uuids=crash_dumps:s virtual-size physical-utilisation location type:u sharable
        read-only storage-lock managed parent:d missing is-tools-iso other-config:mA xenstore-data:m
        sm-config:m on-boot:w allow-caching:w metadata-latest metadata-of-pool tags:sac cbt-enabled""",
    "vbd": """uuid vm-uuid=VM vm-name-label=VM:n vdi-uuid=VDI vdi-name-label=VDI:n allowed-operations:s
        current-operations:s empty device userdevice:w bootable:w mode:w type:w unpluggable:w
        currently-attached storage-lock status-code status-detail qos_algorithm_type:w
        qos_algorithm_params:mA qos_supported_algorithms:s other-config:mA""",
    "vm": """uuid name-label:w name-description:w user-version:w is-a-template:w is-default-template:w
        is-a-snapshot snapshot-of snapshots snapshot-time transportable-snapshot-id:h snapshot-info
        parent children is-control-domain power-state:l memory-overhead memory-static-max:w
        memory-dynamic-max:w memory-dynamic-min:w memory-static-min:w suspend-VDI-uuid=suspend_VDI:w
        suspend-SR-uuid=suspend_SR:w VCPUs-params:mA VCPUs-max:w VCPUs-at-startup:w
        actions-after-shutdown:w actions-after-softreboot:w actions-after-reboot:w
        actions-after-crash:w console-uuids=consoles:s platform:mA allowed-operations:s
        current-operations:s blocked-operations:mA domain-type:w HVM-boot-policy:w HVM-boot-params:mA
        HVM-shadow-multiplier:w NVRAM:mAh PV-kernel:w PV-ramdisk:w PV-args:w PV-legacy-args:w
        PV-bootloader:w PV-bootloader-args:w last-boot-CPU-flags resident-on affinity:w
        other-config:mA dom-id=domid recommendations xenstore-data:mA ha-always-run:wd
        ha-restart-priority:w blobs VBDs:s tags:sac appliance:w groups snapshot-schedule:w
        is-vmss-snapshot start-delay:w shutdown-delay:w order:w version generation-id
        hardware-platform-version has-vendor-device:w requires-reboot reference-label bios-strings:m
        pending-guidances vtpms=VTPMs pending-guidances-recommended pending-guidances-full""",
    "sm": """uuid name-label name-description type vendor copyright required-api-version capabilities:d
        features:m configuration driver-filename required-cluster-stack:c""",
    "task": """uuid name-label name-description subtask_of subtasks resident-on status progress type result
        created finished error_info allowed_operations current_operations other-config:mA""",
    "message": "uuid name priority class=cls obj-uuid timestamp body",
    "secret": "uuid value:w",
    "network": """uuid name-label:w name-description:w VIF-uuids=VIFs:s PIF-uuids=PIFs:s MTU:w bridge managed
        other-config:mA blobs tags:sac default-locking-mode:w purpose:sac""",
    "pif": """uuid device MAC physical managed currently-attached MTU VLAN management network-uuid=network
        network-name-label=network:n host-uuid=host host-name-label=host:n
        IP-configuration-mode=ip_configuration_mode IP netmask gateway
        IPv6-configuration-mode=ipv6_configuration_mode IPv6 IPv6-gateway=ipv6_gateway
        primary-address-type DNS properties:m capabilities:s disallow-unplug:w other-config:mA
        igmp-snooping-status""",
    "console": "uuid vm-uuid=VM vm-name-label=VM:n protocol location other-config:mA",
}


@dataclass(frozen=True)
class Field:
    """One field: its name here, its name in the API, and its flags."""

    name: str
    api: str
    flags: str

    @property
    def mark(self) -> str:
        """How a list marks the kind of field and whether it can be written."""
        if "s" in self.flags:
            mark = " (SRW)" if "a" in self.flags else " (SRO)"
        elif "m" in self.flags:
            mark = " (MRW)" if "A" in self.flags else " (MRO)"
        else:
            mark = " ( RW)" if "w" in self.flags else " ( RO)"
        return mark + (" [DEPRECATED]" if "d" in self.flags else "")


def fields_of(kind: str) -> list[Field]:
    """All fields of a class of the command line."""
    words = WORDS["vm" if kind in ("template", "snapshot") else kind].split()
    return [_field(word) for word in words]


def _field(word: str) -> Field:
    left, _, flags = word.partition(":")
    name, _, api = left.partition("=")
    return Field(name, api or name.replace("-", "_"), flags)
