"""What a host's toolstack reads at start: who it is, its address, and its place in the pool."""

import json
import os
import secrets
from pathlib import Path
from typing import NamedTuple

MASTER = "master"
MEMBER = "slave:"


class Config(NamedTuple):
    """A host's settings; ``root`` is the folder under which all the files lie ("/" on a host)."""

    root: Path
    inventory: dict[str, str]
    address: str
    root_password: str
    host_name: str
    port: int = 80
    login_delay: float = 5.0  # xapi makes whoever guesses passwords wait
    start_delay: float = 5.0  # between a member's attempts to reach its master
    heartbeat: float = 30.0  # between a member's signs of life
    silence: float = 600.0  # after which the master takes a member for dead

    @property
    def host_uuid(self) -> str:
        """The UUID of the host's record."""
        return self.inventory["INSTALLATION_UUID"]

    @property
    def pool_conf(self) -> Path:
        """Says ``master`` or ``slave:ADDRESS``."""
        return self.root / "etc/xensource/pool.conf"

    @property
    def secret_file(self) -> Path:
        """The secret that the hosts of a pool share."""
        return self.root / "etc/xensource/ptoken"

    @property
    def state(self) -> Path:
        """The database's file."""
        return self.root / "var/lib/xcp/state.json"

    @property
    def socket(self) -> Path:
        """The local socket."""
        return self.root / "var/lib/xcp/xapi"

    @property
    def boot_mark(self) -> Path:
        """There from the toolstack's first start after a boot to the host's end."""
        return self.root / "run/lab-xapi-booted"


def read_inventory(text: str) -> dict[str, str]:
    """/etc/xensource-inventory: lines of KEY='value'."""
    pairs = (line.partition("=") for line in text.splitlines() if "=" in line)
    return {key.strip(): value.strip().strip("'\"") for key, _, value in pairs}


def read(root: Path = Path("/")) -> Config:
    """The settings of this host."""
    settings = json.loads((root / "etc/lab/xapi.json").read_text(encoding="utf-8"))
    inventory = read_inventory((root / "etc/xensource-inventory").read_text(encoding="utf-8"))
    options = {key: value for key, value in settings.items() if key in Config._field_defaults}
    return Config(root, inventory, settings["address"], settings["root_password"], settings["host_name"], **options)


def master_address(config: Config) -> str | None:
    """The master's address when this host is a member, else None."""
    text = config.pool_conf.read_text(encoding="utf-8").strip() if config.pool_conf.exists() else MASTER
    return text[len(MEMBER) :] if text.startswith(MEMBER) else None


def write_role(config: Config, role: str) -> None:
    """Make the host's place in the pool outlast its process."""
    write_file(config.pool_conf, role, 0o644)


def pool_secret(config: Config) -> str:
    """The pool's secret, made on the first start."""
    if not config.secret_file.exists():
        write_file(config.secret_file, secrets.token_hex(32), 0o600)
    return config.secret_file.read_text(encoding="utf-8").strip()


def write_file(path: Path, text: str, mode: int) -> None:
    """Replace a file as a whole."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(path.name + ".new")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
    with open(descriptor, "w", encoding="utf-8") as out:
        out.write(text)
        out.flush()
        os.fsync(out.fileno())
    temporary.replace(path)
