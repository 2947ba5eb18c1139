"""Programs as xapi starts them: an environment of its own, no input, output into temporary files."""

import signal
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

PATH_ONLY = {"PATH": "/sbin:/usr/sbin:/bin:/usr/bin"}
NOT_STARTED = 127  # exit code reported for a program that could not be started, as a shell does


@dataclass(frozen=True)
class Outcome:
    """How a program ended; ``status`` is the exit code, or minus the number of the signal that ended it."""

    status: int
    stdout: str
    stderr: str

    @property
    def signal_name(self) -> str:
        """The name of the signal that ended it, or nothing."""
        return signal.Signals(-self.status).name if self.status < 0 else ""


def run(argv: Sequence[str], env: Mapping[str, str]) -> Outcome:
    """Run a program to its end, however long that takes: xapi has no timeout here."""
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        try:
            status = subprocess.call(
                [argument.encode("utf-8") for argument in argv],
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
                env=dict(env),
                cwd="/",
                umask=0o022,
            )
        except OSError as error:
            return Outcome(NOT_STARTED, "", str(error))
        out.seek(0)
        err.seek(0)
        return Outcome(status, out.read().decode("utf-8", "replace"), err.read().decode("utf-8", "replace"))
