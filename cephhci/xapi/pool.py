"""The pool on a XAPI session."""

from typing import Any, Dict

from XenAPI import Failure

from cephhci import errors
from cephhci.xapi.port import Attachment, HostRecord, PoolRecord, SrRecord, XapiPool

DRIVER = "ceph"


class SessionPool(XapiPool):
    """See XapiPool; ``session`` is a logged-in XenAPI session."""

    def __init__(self, session: Any) -> None:
        self._api = session.xenapi

    def read(self) -> PoolRecord:
        try:
            pool = next(iter(self._api.pool.get_all_records().values()))
            hosts = self._api.host.get_all_records()
            metrics = self._api.host_metrics.get_all_records()
            where = 'field "type" = "%s"' % DRIVER
            srs = self._api.SR.get_all_records_where(where)
            pbds = self._api.PBD.get_all_records() if srs else {}
            drivers = self._api.SM.get_all_records_where(where)
        except Failure as error:
            raise failed("reading the pool", error) from error
        uuids = {ref: record["uuid"] for ref, record in hosts.items()}
        return PoolRecord(
            uuid=pool["uuid"],
            name=pool["name_label"],
            master=uuids[pool["master"]],
            ha=pool["ha_enabled"],
            driver_registered=bool(drivers),
            hosts=tuple(sorted(_host(record, metrics) for record in hosts.values())),
            srs=tuple(sorted(_sr(record, pbds, uuids) for record in srs.values())),
        )

    def secret(self, uuid: str) -> str:
        try:
            return str(self._api.secret.get_value(self._api.secret.get_by_uuid(uuid)))
        except Failure as error:
            raise failed("reading the secret of an SR", error) from error

    def call(self, host: str, function: str, arguments: Dict[str, str]) -> str:
        try:
            return str(self._api.host.call_plugin(self._api.host.get_by_uuid(host), "hci", function, arguments))
        except Failure as error:
            if error.details[0] in ("XENAPI_MISSING_PLUGIN", "UNKNOWN_XENAPI_PLUGIN_FUNCTION"):
                raise errors.PluginMissing(host=host) from error
            raise failed("calling host %s" % host, error) from error


def failed(what: str, error: Failure) -> errors.XapiFailed:
    """Our error for a XAPI failure: its code and parameters in one line."""
    return errors.XapiFailed(what=what, reason=", ".join(str(part) for part in error.details))


def _host(record: Dict[str, Any], metrics: Dict[str, Dict[str, Any]]) -> HostRecord:
    live = bool(metrics.get(record["metrics"], {}).get("live"))
    return HostRecord(record["uuid"], record["name_label"], record["address"], live, record["enabled"])


def _sr(record: Dict[str, Any], pbds: Dict[str, Dict[str, Any]], hosts: Dict[str, str]) -> SrRecord:
    mine = [pbds[ref] for ref in record["PBDs"] if ref in pbds]
    return SrRecord(
        uuid=record["uuid"],
        name=record["name_label"],
        size=int(record["physical_size"]),
        used=int(record["physical_utilisation"]),
        allocated=int(record["virtual_allocation"]),
        disks=len(record["VDIs"]),
        attachments=tuple(
            sorted(
                Attachment(hosts[pbd["host"]], pbd["currently_attached"], tuple(sorted(pbd["device_config"].items())))
                for pbd in mine
                if pbd["host"] in hosts
            )
        ),
    )
