"""Sessions: logging in and out, and the short-lived superuser sessions of driver calls."""

import time

from lab.xapi.context import Context, Origin, Session
from lab.xapi.database import Database
from lab.xapi.failure import Failure
from lab.xapi.registry import call
from lab.xapi.values import NULL, now

SM_SESSION = "_sm_session"  # other_config key that gives a session the rights of an SR's driver


def find(db: Database, ref: str) -> Session:
    """The session with this reference. Raises SESSION_INVALID."""
    try:
        row = db.get("session", ref)
    except Failure:
        raise Failure("SESSION_INVALID", ref) from None
    return Session(
        ref,
        row["auth_user_name"],
        row["this_host"],
        row["is_local_superuser"],
        row["other_config"].get(SM_SESSION),
    )


def create(db: Database, host: str, user: str, sr: str | None = None, originator: str = "") -> str:
    """Open a session of the local superuser; with ``sr``, one with the rights of that SR's driver."""
    return db.create(
        "session",
        this_host=host,
        this_user=NULL,
        last_active=now(),
        validation_time=now(),
        auth_user_name=user,
        is_local_superuser=True,
        pool=sr is not None,
        originator=originator,
        other_config={} if sr is None else {SM_SESSION: sr},
    )


def delete(db: Database, ref: str) -> None:
    """End a session; one that is gone already is no matter."""
    with db.lock:
        if db.exists("session", ref):
            db.delete("session", ref)


def _authenticate(ctx: Context, origin: Origin, user: str, password: str) -> None:
    if origin.is_local:  # the unix socket is root's alone: nothing is asked
        return
    if user != "root" or password != ctx.server.config.root_password:
        time.sleep(ctx.server.config.login_delay)
        raise Failure("SESSION_AUTHENTICATION_FAILED", user, "Authentication failure")


@call("session.login_with_password")
def login_with_password(ctx: Context, user: str, password: str, version: str, originator: str) -> str:
    """A new session's reference. Raises SESSION_AUTHENTICATION_FAILED."""
    _authenticate(ctx, ctx.origin, user, password)
    host = ctx.origin.host if ctx.origin.is_local else ctx.server.host
    return create(ctx.db, host, user, originator=originator)


@call("session.slave_local_login_with_password")
def slave_local_login_with_password(ctx: Context, user: str, password: str) -> str:
    """As login_with_password: the master's database is reached either way."""
    return login_with_password(ctx, user, password, "", "")


@call("session.logout")
def logout(ctx: Context) -> None:
    """End the caller's session."""
    delete(ctx.db, ctx.session.ref)


@call("session.local_logout")
def local_logout(ctx: Context) -> None:
    """End a session made by a local login."""
    delete(ctx.db, ctx.session.ref)


@call("session.get_all_subject_identifiers")
def get_all_subject_identifiers(ctx: Context) -> list[str]:
    """Nobody: there is no external authentication."""
    return []
