"""Which files the linters look at: what git tracks, and what it would track."""

import os
import subprocess
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PRODUCT = ("cephhci", "sm-driver", "xapi-plugins", "node", "rpm")


@cache
def files() -> list[Path]:
    """Every file of the repository, relative to its root; links and deleted files are left out."""
    listed = subprocess.run(
        ["git", "-C", str(ROOT), "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        check=True,
        stdout=subprocess.PIPE,
    ).stdout
    names = sorted(os.fsdecode(name) for name in listed.split(b"\0") if name)
    return [Path(name) for name in names if (ROOT / name).is_file() and not (ROOT / name).is_symlink()]


def text(path: Path) -> str:
    return (ROOT / path).read_text(encoding="utf-8", errors="replace")


def scripts_of(interpreter: str) -> list[Path]:
    """Files without a suffix whose first line names the interpreter."""
    found = []
    for path in files():
        if path.suffix:
            continue
        first = text(path).split("\n", 1)[0]
        if first.startswith("#!") and interpreter in first:
            found.append(path)
    return found


def python_files() -> list[Path]:
    return [path for path in files() if path.suffix == ".py"] + scripts_of("python")


def shell_files() -> list[Path]:
    return [path for path in files() if path.suffix in (".sh", ".bash")] + scripts_of("sh")


def below(paths: list[Path], *folders: str) -> list[Path]:
    return [path for path in paths if any(Path(folder) in path.parents for folder in folders)]
