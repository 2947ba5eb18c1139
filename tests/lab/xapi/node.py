"""A host's toolstack process: master or member, as pool.conf says, and the change from one to the other."""

import logging
import threading

from lab.xapi import bootstrap, classes, config, state
from lab.xapi.config import Config
from lab.xapi.master import Master
from lab.xapi.member import Member
from lab.xapi.remote import Reply
from lab.xapi.webserver import Request, WebServer

LOG = logging.getLogger("xapi")


class Node:
    """One running toolstack."""

    def __init__(self, settings: Config) -> None:
        classes.load()
        self._config = settings
        self._lock = threading.Lock()
        self._writer: state.Writer | None = None
        self._booted = not settings.boot_mark.exists()
        address = config.master_address(settings)
        self.role: Master | Member = self._master() if address is None else self._member(address)
        self._web = WebServer(self, settings.address, settings.port, settings.socket)

    @property
    def port(self) -> int:
        """The TCP port."""
        return self._web.port

    def start(self) -> None:
        """Serve, and do what follows a start."""
        self._web.start()
        if self._writer is not None:
            self._writer.start()
        config.write_file(self._config.boot_mark, "", 0o644)
        self.role.start(self._booted)

    def stop(self) -> None:
        """Write the database and end."""
        self._web.stop()
        if self._writer is not None:
            self._writer.stop()
        self.role.stop()

    def handle(self, request: Request) -> Reply:
        """Answer a request in the present role."""
        return self.role.handle(request)

    def become_member(self, master: str, secret: str) -> None:
        """Leave the own pool; running requests end in the old role."""
        with self._lock:
            if self._writer is not None:
                self._writer.stop(save_last=False)
                self._writer = None
            self.role.stop()
            config.write_file(self._config.secret_file, secret, 0o600)
            config.write_role(self._config, config.MEMBER + master)
            self._config.state.unlink(missing_ok=True)
            self.role = self._member(master)
        self.role.start(booted=False)

    def _master(self) -> Master:
        settings = self._config
        known = settings.state.exists()
        db = state.load(settings.state) if known else bootstrap.create(settings)
        bootstrap.refresh(db, settings, self._booted)
        self._writer = state.Writer(db, settings.state)
        return Master(settings, db, config.pool_secret(settings), self.become_member)

    def _member(self, master: str) -> Member:
        return Member(self._config, master, config.pool_secret(self._config))
