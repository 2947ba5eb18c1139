"""The tap-ctl command: options, output and exit codes of blktap's control/tap-ctl.c.

An exit code is an errno, with its text on stderr. Output is what the real one prints when stdout is no
terminal.
"""

import errno
import getopt
import json
import os
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator

from lab.dom0.tapdisk import devices, server

Options = dict[str, str]
Row = tuple[int | None, int | None, int | None, str]  # pid minor state args
CONNECT_TIMEOUT = 10.0
UNSUPPORTED = ("-e", "-r", "-2", "-s", "-C", "-E", "-c")  # caching, mirroring, CBT logs, keys: other SR types


def main(argv: list[str]) -> int:
    """Run one command; returns the exit code."""
    verb = VERBS.get(argv[0]) if argv else None
    if verb is None:
        print("usage: tap-ctl COMMAND [OPTIONS]\nCOMMAND := { %s }" % " | ".join(VERBS))
        return 0
    function, known, required = verb
    try:
        given, _ = getopt.getopt(argv[1:], known)
        options = dict(given)
        if not all(option in options for option in required):
            raise getopt.GetoptError("missing option")
        if any(option in options for option in UNSUPPORTED):
            raise OSError(errno.EOPNOTSUPP, os.strerror(errno.EOPNOTSUPP))
        function(options)
    except (getopt.GetoptError, ValueError) as error:
        sys.stderr.write("usage: %s: %s\n" % (argv[0], error))
        return errno.EINVAL
    except OSError as error:
        number = error.errno or errno.EIO
        sys.stderr.write("%s\n" % os.strerror(number))
        return number
    return 0


def _list(options: Options) -> None:
    for pid, minor, state, args in _rows(int(options["-p"]) if "-p" in options else None):
        kind, _, path = args.partition(":")
        wanted = (
            options.get("-m", str(minor)) == str(minor)
            and options.get("-t", kind) == kind
            and options.get("-f", path) == path
        )
        if wanted:
            fields = [] if pid is None else ["pid=%d" % pid]
            fields += [] if minor is None else ["minor=%d" % minor]
            fields += [] if state is None else ["state=%#x" % state if state else "state=0"]
            print(" ".join(fields + (["args=%s" % args] if args else [])))


def _rows(only: int | None) -> Iterator[Row]:
    """Disks of all tapdisks, tapdisks without a disk, numbers without a tapdisk; or one tapdisk's."""
    orphans = set(devices.minors()) if only is None else set()
    pids = [int(path.name[3:]) for path in devices.RUN.glob("ctl*")] if only is None else [only]
    for pid in sorted(pids):
        try:
            vbds = _ask(pid, {"verb": "list"})["vbds"]
        except OSError:  # it ended without taking its socket away
            continue
        assert isinstance(vbds, list)
        if not vbds:
            yield pid, None, None, ""
        for minor, state, args in vbds:
            orphans.discard(minor)
            yield pid, minor, state, args
    for minor in sorted(orphans):
        yield None, minor, None, ""


def _allocate(options: Options) -> None:
    print(devices.node(devices.allocate()))


def _free(options: Options) -> None:
    devices.free(int(options["-m"]))


def _spawn(options: Options) -> None:
    """Start a tapdisk that outlives this command; it must not hold on to the caller's pipes."""
    process = subprocess.Popen(
        [sys.executable, "-S", "-m", "lab.dom0.tapdisk.server"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
        text=True,
    )
    assert process.stdout is not None
    pid = process.stdout.readline().strip()
    if not pid:
        raise OSError(errno.EPERM, os.strerror(errno.EPERM))  # 1: SM tries again after this one
    print(pid)


def _open(options: Options) -> None:
    request = {"args": options["-a"], "read_only": "-R" in options, "direct": "-D" not in options}
    _change("open", options, request)


def _close(options: Options) -> None:
    _change("close", options, {"force": "-f" in options})


def _unpause(options: Options) -> None:
    _change("unpause", options, {"args": options.get("-a", "")})


def _stats(options: Options) -> None:
    print(json.dumps(_change("stats", options, {})["stats"]) + "\n")


def _simple(verb: str) -> Callable[[Options], None]:
    def change(options: Options) -> None:
        _change(verb, options, {})

    return change


def _change(verb: str, options: Options, request: dict[str, object]) -> dict[str, object]:
    timeout = int(options["-t"]) if "-t" in options and verb in ("close", "pause") else None
    everything = {"verb": verb, "minor": int(options["-m"]), "timeout": timeout, **request}
    return _ask(int(options["-p"]), everything)


def _ask(pid: int, request: dict[str, object]) -> dict[str, object]:
    """One request to one tapdisk. Raises OSError with the errno of its answer, or of the connection."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(CONNECT_TIMEOUT)
        connection.connect(server.socket_path(pid))
        connection.settimeout(None)  # tapdisk keeps the deadlines
        connection.sendall((json.dumps(request) + "\n").encode("utf-8"))
        with connection.makefile("r", encoding="utf-8") as stream:
            line = stream.readline()
    if not line:
        raise OSError(errno.EPIPE, os.strerror(errno.EPIPE))
    answer = json.loads(line)
    assert isinstance(answer, dict)
    if answer["errno"]:
        raise OSError(answer["errno"], os.strerror(answer["errno"]))
    return answer


# What a command does, the options it knows (as getopt(3) has them), those it must have.
VERBS: dict[str, tuple[Callable[[Options], None], str, tuple[str, ...]]] = {
    "list": (_list, "m:p:t:f:h", ()),
    "allocate": (_allocate, "d:h", ()),
    "free": (_free, "m:h", ("-m",)),
    "spawn": (_spawn, "h", ()),
    "attach": (_simple("attach"), "m:p:h", ("-m", "-p")),
    "detach": (_simple("detach"), "m:p:h", ("-m", "-p")),
    "open": (_open, "a:RDm:p:e:r2:st:C:Eh", ("-m", "-p", "-a")),
    "close": (_close, "m:p:ft:h", ("-m", "-p")),
    "pause": (_simple("pause"), "m:p:t:h", ("-m", "-p")),
    "unpause": (_unpause, "m:p:a:2:c:h", ("-m", "-p")),
    "stats": (_stats, "m:p:h", ("-m", "-p")),
}
