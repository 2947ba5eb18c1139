"""The one place that starts processes.

Arguments are lists and never reach a shell. Text is UTF-8 by explicit conversion, because under XAPI
Python 3.6 runs without a locale and would otherwise encode arguments and decode output as ASCII.
"""

import os
import subprocess
from typing import TYPE_CHECKING, Dict, List, Optional, Sequence

from cephhci.errors import CommandFailed, CommandTimeout

if TYPE_CHECKING:
    Process = subprocess.Popen[bytes]
else:
    Process = subprocess.Popen  # cannot be subscripted at run time before Python 3.9

KILL_SECONDS = 1
STDERR_KEPT = 2000  # characters of stderr that an error carries


def run(
    argv: Sequence[str],
    timeout: float,
    stdin: bytes = b"",
    env: Optional[Dict[str, str]] = None,
) -> bytes:
    """Run a program to its end and return its stdout.

    ``timeout`` is in seconds. Raises CommandTimeout after killing the program, CommandFailed when it
    cannot be started or ends with a non-zero exit code; both carry program, status and stderr but not the
    arguments, which may name things that do not belong in a log.
    """
    program = os.path.basename(argv[0])
    try:
        process = subprocess.Popen(
            _encoded(argv),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=env,
        )
    except OSError as error:
        raise CommandFailed(program=program, status="not started", stderr=str(error)) from error
    try:
        stdout, stderr = process.communicate(stdin, timeout=timeout)
    except subprocess.TimeoutExpired as error:
        _abandon(process)
        raise CommandTimeout(program=program, timeout=timeout, status="timeout", stderr="") from error
    if process.returncode != 0:
        raise CommandFailed(
            program=program,
            status="exit code %d" % process.returncode,
            stderr=_text(stderr).strip()[-STDERR_KEPT:],
        )
    return bytes(stdout)


def spawn(argv: Sequence[str], log: str, env: Optional[Dict[str, str]] = None) -> Process:
    """Start a daemon in a session of its own, its output appended to the file ``log``; the caller owns it."""
    descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o640)
    try:
        return subprocess.Popen(
            _encoded(argv),
            stdin=subprocess.DEVNULL,
            stdout=descriptor,
            stderr=descriptor,
            env=env,
            start_new_session=True,
        )
    except OSError as error:
        program = os.path.basename(argv[0])
        raise CommandFailed(program=program, status="not started", stderr=str(error)) from error
    finally:
        os.close(descriptor)


def _abandon(process: Process) -> None:
    """Kill a program without waiting for what may never come.

    A child of its own may hold the pipes open, and `rbd map` on a cluster that is gone sleeps in the kernel where no
    signal reaches it.
    """
    process.kill()
    for pipe in (process.stdin, process.stdout, process.stderr):
        if pipe is not None:
            pipe.close()
    try:
        process.wait(KILL_SECONDS)
    except subprocess.TimeoutExpired:
        pass


def _encoded(argv: Sequence[str]) -> List[bytes]:
    return [argument.encode("utf-8") for argument in argv]


def _text(output: bytes) -> str:
    return output.decode("utf-8", "replace")
