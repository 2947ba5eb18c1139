"""What a driver can do: capability strings such as ``VDI_RESIZE/2`` and what is made of them."""

from collections.abc import Iterable

from lab.xapi.database import Database

KNOWN = frozenset(
    """SR_CREATE SR_DELETE SR_ATTACH SR_DETACH SR_SCAN SR_PROBE SR_UPDATE SR_SUPPORTS_LOCAL_CACHING SR_METADATA
    SR_TRIM SR_MULTIPATH SR_CACHING SR_STATS VDI_CREATE VDI_DELETE VDI_ATTACH VDI_DETACH VDI_MIRROR VDI_MIRROR_IN
    VDI_RESIZE VDI_RESIZE_ONLINE VDI_CLONE VDI_SNAPSHOT VDI_ACTIVATE VDI_ACTIVATE_READONLY VDI_DEACTIVATE
    VDI_UPDATE VDI_INTRODUCE VDI_GENERATE_CONFIG VDI_ATTACH_OFFLINE VDI_RESET_ON_BOOT VDI_CONFIG_CBT VDI_COMPOSE
    LARGE_VDI THIN_PROVISIONING VDI_READ_CACHING""".split()
)


def parsed(capabilities: Iterable[str]) -> dict[str, int]:
    """Known capabilities with their versions, sorted; unknown ones are dropped, a bad version counts as 1."""
    found: dict[str, int] = {}
    for text in capabilities:
        name, _, version = text.partition("/")
        if name in KNOWN:
            found.setdefault(name, max(1, int(version)) if version.isdigit() else 1)
    return dict(sorted(found.items()))


def of_type(db: Database, sr_type: str) -> dict[str, int]:
    """The features of a type of repository; none when there is no such driver."""
    for record in db.where("SM", type=sr_type).values():
        return dict(record["features"])
    return {}


def of_sr(db: Database, sr: str) -> dict[str, int]:
    """The features of a repository's driver."""
    return of_type(db, db.field("SR", sr, "type"))
