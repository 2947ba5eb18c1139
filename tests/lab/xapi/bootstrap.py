"""The database of a freshly installed host: a pool of one."""

import json
import time
import uuid as uuids
from typing import Any

from lab.xapi.config import Config
from lab.xapi.database import Database
from lab.xapi.schema import RECORDINGS, schema
from lab.xapi.values import NULL, now

GIB = 1 << 30
HOST_MEMORY = 64 * GIB
DOM0_MEMORY = 4 * GIB
CPUS = 4
BRIDGE = "xenbr0"

CPU = {
    "cpu_count": str(CPUS),
    "socket_count": "1",
    "threads_per_core": "1",
    "nr_nodes": "1",
    "vendor": "GenuineIntel",
    "speed": "2400.000",
    "modelname": "Simulated CPU",
    "family": "6",
    "model": "85",
    "stepping": "7",
    "flags": "",
    "features_pv": "",
    "features_pv_host": "",
    "features_hvm": "",
    "features_hvm_host": "",
}

SOFTWARE = {
    "product_brand": "XCP-ng",
    "product_version": "8.3.0",
    "product_version_text": "8.3",
    "product_version_text_short": "8.3",
    "platform_name": "XCP",
    "platform_version": "3.4.0",
    "build_number": "cloud",
    "git_id": "3",
    "db_schema": "5.793",
    "hostname": "localhost",
    "linux": "4.19.0+1",
    "network_backend": "openvswitch",
    "xapi": "26.1",
    "xapi_build": "26.1.3",
    "xen": "4.17.5",
    "xencenter_max": "2.21",
    "xencenter_min": "2.21",
    "date": "2025-11-20",
}

BIOS = {
    "bios-vendor": "Simulated",
    "bios-version": "1",
    "system-manufacturer": "Simulated",
    "system-product-name": "Host",
    "system-version": "",
    "system-serial-number": "",
    "baseboard-manufacturer": "",
    "baseboard-product-name": "",
    "baseboard-version": "",
    "baseboard-serial-number": "",
    "oem-1": "Xen",
    "oem-2": "MS_VM_CERT/SHA1/bdbeb6e0a816d43fa6d3fe8aaef04c2bad9d3e3d",
    "hp-rombios": "",
}

# Features by licence: the names are the recorded ones, and XCP-ng restricts none of them.
LICENCE = {"enable_xha": "true", "regular_nag_dialog": "false", "platform_filter": "false"}


def create(config: Config) -> Database:
    """A pool with this one host, its control domain and its management network."""
    db = Database(schema())
    host = _host(db, config)
    db.create(
        "pool",
        master=host,
        restrictions=_features(),
        cpu_info={key: CPU[key] for key in ("cpu_count", "socket_count", "vendor")},
        other_config={"memory-ratio-hvm": "0.25", "memory-ratio-pv": "0.25"},
        ha_cluster_stack="xhad",
        ext_auth_cache_expiry=300,
        ext_auth_cache_size=50,
        ext_auth_max_threads=1,
        local_auth_max_threads=8,
        coordinator_bias=True,
        ha_reboot_vm_on_internal_shutdown=True,
        telemetry_frequency="weekly",
        update_sync_frequency="weekly",
        wlb_verify_cert=False,
        allowed_operations=_recorded_pool()["allowed_operations"],
    )
    _management(db, config, host)
    return db


def refresh(db: Database, config: Config, booted: bool) -> None:
    """Bring what a start changes up to date in the records of this host."""
    host = db.by_uuid("host", config.host_uuid)
    other = {**db.field("host", host, "other_config"), "agent_start_time": "%d." % time.time()}
    if booted:
        other["boot_time"] = "%d." % time.time()
    db.set("host", host, other_config=other, address=config.address, software_version=_software())
    for pif in db.where("PIF", host=host, management=True):
        db.set("PIF", pif, IP=config.address)


def _software() -> dict[str, str]:
    return dict(SOFTWARE)


def _recorded_pool() -> dict[str, Any]:
    records = json.loads((RECORDINGS / "records.json").read_text(encoding="utf-8"))
    pool: dict[str, Any] = next(iter(records["pool"].values()))
    return pool


def _features() -> dict[str, str]:
    return {**dict.fromkeys(_recorded_pool()["restrictions"], "false"), **LICENCE}


def _host(db: Database, config: Config) -> str:
    metrics = db.create(
        "host_metrics",
        memory_total=HOST_MEMORY,
        memory_free=HOST_MEMORY - DOM0_MEMORY,
        live=True,
        last_updated=now(),
    )
    host = db.create(
        "host",
        uuid=config.host_uuid,
        name_label=config.host_name,
        name_description="Default install",
        hostname=config.host_name,
        address=config.address,
        enabled=True,
        metrics=metrics,
        API_version_major=2,
        API_version_minor=21,
        API_version_vendor="XenSource",
        **_host_constants(),
    )
    db.set("host", host, control_domain=_control_domain(db, config, host))
    for number in range(CPUS):
        db.create("host_cpu", host=host, number=number, vendor=CPU["vendor"], speed=2400, family=6, model=85,
                  modelname=CPU["modelname"], stepping=CPU["stepping"])  # fmt: skip
    return host


def _host_constants() -> dict[str, Any]:
    return {
        "software_version": _software(),
        "other_config": {"agent_start_time": "%d." % time.time(), "boot_time": "%d." % time.time()},
        "capabilities": ["xen-3.0-x86_64", "hvm-3.0-x86_32", "hvm-3.0-x86_32p", "hvm-3.0-x86_64"],
        "cpu_info": CPU,
        "chipset_info": {"iommu": "true"},
        "bios_strings": BIOS,
        "sched_policy": "credit",
        "edition": "xcp-ng",
        "editions": ["xcp-ng"],
        "license_params": _features(),
        "license_server": {"address": "localhost", "port": "27000"},
        "memory_overhead": 1518338048,
        "supported_bootloaders": ["pygrub", "eliloader"],
        "virtual_hardware_platform_versions": [0, 1, 2],
        "display": "enabled",
        "iscsi_iqn": "iqn.2026-01.lab.xcpng:%s" % uuids.uuid4().hex[:8],
        "latest_synced_updates_applied": "unknown",
        "numa_affinity_policy": "default_policy",
        "ntp_mode": "Factory",
        "timezone": "UTC",
        "ssh_enabled": True,
        "allowed_operations": ["vm_migrate", "provision", "vm_resume", "evacuate", "vm_start"],
    }


def _control_domain(db: Database, config: Config, host: str) -> str:
    metrics = db.create(
        "VM_metrics",
        memory_actual=DOM0_MEMORY,
        VCPUs_number=CPUS,
        start_time=now(),
        last_updated=now(),
        current_domain_type="pv",
    )
    vm = db.create(
        "VM",
        uuid=config.inventory.get("CONTROL_DOMAIN_UUID") or str(uuids.uuid4()),
        name_label="Control domain on host: %s" % config.host_name,
        name_description="The domain which manages physical devices and manages other domains",
        is_control_domain=True,
        power_state="Running",
        resident_on=host,
        affinity=host,
        domid=0,
        domain_type="pv",
        domarch="x64",
        metrics=metrics,
        memory_overhead=36700160,
        memory_target=DOM0_MEMORY,
        memory_static_max=DOM0_MEMORY,
        memory_static_min=DOM0_MEMORY,
        memory_dynamic_max=DOM0_MEMORY,
        memory_dynamic_min=DOM0_MEMORY,
        VCPUs_max=CPUS,
        VCPUs_at_startup=CPUS,
        actions_after_shutdown="destroy",
        actions_after_reboot="destroy",
        actions_after_crash="destroy",
        generation_id="",
        user_version=1,
        other_config={"is_system_domain": "true"},
        allowed_operations=["metadata_export", "changing_static_range", "changing_dynamic_range"],
    )
    console = "https://%s/console?uuid=%s" % (config.address, vm)
    db.create("console", VM=vm, protocol="rfb", location=console)
    return vm


def _management(db: Database, config: Config, host: str) -> None:
    network = db.create(
        "network",
        name_label="Pool-wide network associated with eth0",
        bridge=BRIDGE,
        MTU=1500,
        managed=True,
        default_locking_mode="unlocked",
    )
    metrics = db.create("PIF_metrics", carrier=True, speed=1000, duplex=True, last_updated=now())
    db.create(
        "PIF",
        device="eth0",
        network=network,
        host=host,
        MAC="02:00:%s" % ":".join(config.host_uuid[at : at + 2] for at in (0, 2, 4, 6)),
        MTU=1500,
        VLAN=-1,
        metrics=metrics,
        physical=True,
        currently_attached=True,
        ip_configuration_mode="Static",
        IP=config.address,
        netmask="255.255.255.0",
        bond_slave_of=NULL,
        management=True,
        primary_address_type="IPv4",
        ipv6_configuration_mode="None",
        managed=True,
        properties={"gro": "on"},
    )
