"""Where a host keeps what xapi reads and runs; a test points it somewhere else."""

from dataclasses import dataclass


@dataclass
class Paths:
    """The folders and files of one host."""

    drivers: str = "/opt/xensource/sm"
    plugins: str = "/etc/xapi.d/plugins"
    hooks: str = "/etc/xapi.d"
    configuration: str = "/etc/xapi.conf"
    fragments: str = "/etc/xapi.conf.d"
    attachments: str = "/run/nonpersistent/xapi/storage.json"
    devices: str = "/dev"


PATHS = Paths()
