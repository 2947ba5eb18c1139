"""Where the measuring happens: the SR and the pool behind it, as this host's xapi knows them."""

from dataclasses import dataclass
from typing import Any

import XenAPI

from cephhci import deviceconfig
from cephhci.target import Target

SM_SESSION = "_sm_session"  # the key of a session's other_config by which xapi knows a driver's sessions


@dataclass(frozen=True)
class Site:
    """The SR under test. ``session`` has the rights of the SR's driver."""

    session: Any
    host_ref: str
    sr_ref: str
    sr_uuid: str
    device_config: dict[str, str]

    @property
    def api(self) -> Any:
        return self.session.xenapi

    @property
    def session_ref(self) -> str:
        return str(self.session._session)

    @property
    def config(self) -> deviceconfig.DeviceConfig:
        return deviceconfig.parse(self.device_config)

    @property
    def target(self) -> Target:
        """The cluster as the driver reaches it, key included."""
        secrets = self.api.secret
        return deviceconfig.target(self.config, secrets.get_value(secrets.get_by_uuid(self.config.secret)))


def find() -> Site:
    """The only SR of our type, seen from the pool's master."""
    session = XenAPI.xapi_local()
    session.xenapi.login_with_password("root", "", "", "benchmarks")
    api = session.xenapi
    (sr_ref,) = api.SR.get_all_records_where('field "type" = "ceph"')
    api.session.add_to_other_config(session._session, SM_SESSION, sr_ref)
    host_ref = api.pool.get_master(api.pool.get_all()[0])
    pbds = api.PBD.get_all_records().values()
    (config,) = [pbd["device_config"] for pbd in pbds if pbd["SR"] == sr_ref and pbd["host"] == host_ref]
    return Site(session, host_ref, sr_ref, api.SR.get_uuid(sr_ref), {"SRmaster": "true", **config})
