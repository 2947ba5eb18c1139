"""Secrets, and the passwords that the pool takes out of device-configs."""

from typing import Any

from lab.xapi.context import Context
from lab.xapi.database import Database
from lab.xapi.failure import Failure
from lab.xapi.registry import call

PASSWORD = "password"
SECRET = "_secret"


@call("secret.create")
def create(ctx: Context, record: dict[str, Any]) -> str:
    """Keep a value."""
    return ctx.db.create("secret", value=record["value"], other_config=record["other_config"])


@call("secret.introduce")
def introduce(ctx: Context, uuid: str, value: str, other_config: dict[str, str]) -> str:
    """Keep a value under a given UUID."""
    return ctx.db.create("secret", uuid=uuid, value=value, other_config=other_config)


@call("secret.destroy")
def destroy(ctx: Context, secret: str) -> None:
    """Forget a value."""
    ctx.db.delete("secret", secret)


def _kept(db: Database, value: str) -> str:
    """The UUID of a new secret."""
    return str(db.field("secret", db.create("secret", value=value), "uuid"))


def moved(db: Database, config: dict[str, str]) -> dict[str, str]:
    """A device-config whose passwords are secrets now: every key that ends in ``password`` gets ``_secret``.

    The order is reversed, as xapi leaves it.
    """
    return {
        key + SECRET if key.endswith(PASSWORD) else key: _kept(db, value) if key.endswith(PASSWORD) else value
        for key, value in reversed(config.items())
    }


def duplicated(db: Database, config: dict[str, str]) -> dict[str, str]:
    """A device-config with copies of its secrets. Raises UUID_INVALID for a secret that is not there."""
    return {
        key: _kept(db, db.field("secret", db.by_uuid("secret", value), "value"))
        if key.endswith(PASSWORD + SECRET)
        else value
        for key, value in config.items()
    }


def removed(db: Database, config: dict[str, str]) -> None:
    """Forget the secrets of a device-config; one that is gone already is no matter."""
    for key, uuid in config.items():
        if key.endswith(PASSWORD + SECRET):
            try:
                db.delete("secret", db.by_uuid("secret", uuid))
            except Failure:
                continue
