"""Command lines that run a program inside a lab, or inside one of its machines.

util-linux does the work: nsenter joins the namespaces, setpriv has the program killed when nsenter is, so
that a caller's timeout ends what it started.
"""

from collections.abc import Sequence
from pathlib import Path

TESTS = Path(__file__).resolve().parents[1]
ENVIRONMENT = {
    "PATH": "/usr/sbin:/usr/bin:/sbin:/bin:/opt/xensource/bin",
    "HOME": "/root",
    "LANG": "C.UTF-8",
    "TERM": "dumb",
}
PYTHON = "/usr/bin/python3"


def argv(init_pid: int, program: Sequence[str]) -> list[str]:
    """Run ``program`` in all namespaces of the process ``init_pid`` (a pid as the caller sees it)."""
    return [
        *("/usr/bin/nsenter", "--target", str(init_pid), "--pid", "--mount", "--net", "--uts", "--ipc", "--"),
        *("/usr/bin/setpriv", "--pdeathsig", "KILL", "--"),
        *program,
    ]


def module(name: str, *arguments: str) -> list[str]:
    """Run a module of this package; goes with ``module_environment``."""
    return [PYTHON, "-m", "lab.%s" % name, *arguments]


def module_environment() -> dict[str, str]:
    return {**ENVIRONMENT, "PYTHONPATH": str(TESTS), "PYTHONDONTWRITEBYTECODE": "1", "PYTHONSAFEPATH": "1"}
