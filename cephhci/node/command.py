"""The command line of hci-node."""

import argparse
import json
import logging
import os
import pwd
import signal
import sys
import time
import uuid
from typing import List

from cephhci.errors import Error
from cephhci.node import document, durable, seed, service, status
from cephhci.node.durable import Owner
from cephhci.node.errors import AlreadyRunning, DocumentInvalid, NeverRan
from cephhci.node.osd import Intent
from cephhci.node.paths import Paths
from cephhci.node.supervisor import Supervisor
from cephhci.run import spawn

LOCK_WAIT = 2.0  # seconds; `hci-node status` holds the lock for a moment


def main(argv: List[str]) -> int:
    """Run one verb; returns the exit code. Expected errors become one line on stderr and exit code 1."""
    arguments = _parser().parse_args(argv)
    try:
        return int(arguments.verb(arguments))
    except Error as error:
        sys.stderr.write("hci-node: %s: %s\n" % (error.code, error.sentence))
        return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="hci-node", description="One Ceph node from its document.")
    verbs = parser.add_subparsers(dest="name", metavar="VERB")
    verbs.required = True
    run = verbs.add_parser("run", help="bring the node up and keep it up until SIGTERM")
    run.set_defaults(verb=_run)
    check = verbs.add_parser("check", help="validate a document and change nothing")
    check.set_defaults(verb=_check)
    for verb in (run, check):
        verb.add_argument("document", metavar="DOCUMENT", help="the node's document, a JSON file")
    show = verbs.add_parser("status", help="print the state; exits with 0: running, 2: not complete, 3: stopped")
    show.set_defaults(verb=_status)
    show.add_argument("--format", choices=("json", "text"), default="json")
    for verb in (run, show):
        verb.add_argument("--root", default="/", help="directory that takes the place of / for all files")
    return parser


def _run(arguments: argparse.Namespace) -> int:
    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    wanted = _load(arguments.document)
    paths = Paths(arguments.root)
    owner = _owner(wanted.user)
    lock = service.take_lock(paths, LOCK_WAIT)
    stops: List[int] = []
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda received, _: stops.append(received))
    service.raise_limits()
    node = service.Node(wanted, paths, owner, Supervisor(spawn), _new_intent)
    try:
        node.run(lambda: bool(stops))
    finally:
        os.close(lock)
    return 0


def _check(arguments: argparse.Namespace) -> int:
    wanted = _load(arguments.document)
    sys.stdout.write("node %s of cluster %s: the document is valid\n" % (wanted.node, wanted.fsid))
    return 0


def _status(arguments: argparse.Namespace) -> int:
    paths = Paths(arguments.root)
    text = durable.read(paths.status)
    if text is None:
        raise NeverRan(path=paths.status)
    state = json.loads(text)
    if state["phase"] not in (status.STOPPED, status.FAILED) and not _is_running(paths):
        state["phase"] = status.KILLED
    if arguments.format == "text":
        sys.stdout.write(status.to_text(state))
    else:
        sys.stdout.write(json.dumps(state, indent=1, sort_keys=True) + "\n")
    if state["phase"] in (status.STOPPED, status.FAILED, status.KILLED):
        return 3
    return 0 if state["phase"] == status.RUNNING else 2


def _is_running(paths: Paths) -> bool:
    try:
        os.close(service.take_lock(paths, 0))
    except AlreadyRunning:
        return True
    return False


def _load(path: str) -> document.Document:
    text = durable.read(path)
    if text is None:
        raise DocumentInvalid(field=path, reason="there is no such file")
    return document.parse(text)


def _owner(user: str) -> Owner:
    try:
        entry = pwd.getpwnam(user)
    except KeyError as error:
        raise DocumentInvalid(field="user", reason="there is no user %s on this machine" % user) from error
    return Owner(entry.pw_uid, entry.pw_gid)


def _new_intent() -> Intent:
    return Intent(str(uuid.uuid4()), seed.secret(os.urandom, int(time.time())))
