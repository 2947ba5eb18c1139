"""What is written to the disk: a Debian root file system made here, or a file that the user names."""

import hashlib
import os
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

MIB = 1 << 20
FETCH_DEADLINE = 300.0
MAKE_DEADLINE = 120.0
MERGED = ("bin", "sbin", "lib", "lib32", "lib64", "libx32")  # links into /usr, which Debian's packages expect
SPARE = 1.25  # of the files' size, for the file system's own structures and for room
WANTED = ("?essential", "apt")  # what `debootstrap --variant=minbase` takes


@dataclass(frozen=True)
class Input:
    """A file of ``size`` bytes, and how to name it to a person."""

    path: Path
    title: str

    @property
    def size(self) -> int:
        return self.path.stat().st_size

    def sha256(self) -> str:
        """Of the whole file."""
        with self.path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()


def root_file_system(folder: Path, cache: Path) -> Input:
    """Make an ext4 image in ``folder`` of Debian's essential packages, kept in ``cache``. Raises AssertionError."""
    packages = _packages(cache)
    tree = folder / "root"
    (tree / "usr").mkdir(parents=True)
    for name in MERGED:
        (tree / "usr" / name).mkdir()
        (tree / name).symlink_to("usr/" + name)
    for package in packages:
        _unpack(package, tree)
    size = sum(path.lstat().st_blocks for path in tree.rglob("*")) * 512
    image = folder / "root.ext4"
    with image.open("xb") as file:
        os.truncate(file.fileno(), int(size * SPARE) + 16 * MIB)
    _run(["/sbin/mkfs.ext4", "-q", "-L", "root", "-d", str(tree), str(image)], MAKE_DEADLINE)
    title = "a root file system of %d Debian packages, %d MiB" % (len(packages), image.stat().st_size // MIB)
    return Input(image, title)


def _packages(cache: Path) -> list[Path]:
    """The archives of the packages and of all that they depend on; apt fetches those that are not in the cache."""
    (cache / "partial").mkdir(parents=True, exist_ok=True)
    if not any(Path("/var/lib/apt/lists").glob("*_Packages*")):
        _run(["/usr/bin/apt-get", "-qq", "update"], FETCH_DEADLINE)
    wanted = [line.split()[1] for line in _apt(cache / "none", "--print-uris").splitlines() if line.startswith("'")]
    assert wanted, "apt knows no packages for a root file system"
    archives = [cache / name for name in wanted]
    if not all(archive.exists() for archive in archives):
        _apt(cache, "--download-only")
    return archives


def _apt(archives: Path, action: str) -> str:
    options = {
        "Dir::State::status": "/dev/null",  # nothing counts as installed, so everything is wanted
        "Dir::Cache::archives": "%s/" % archives,
        "APT::Install-Recommends": "false",
        "APT::Sandbox::User": "root",
    }
    argv = ["/usr/bin/apt-get", "-qq", "-y", *("-o%s=%s" % pair for pair in options.items())]
    return _run([*argv, action, "install", *WANTED], FETCH_DEADLINE)


def _unpack(package: Path, tree: Path) -> None:
    """As `dpkg-deb --extract`, which would replace the links into /usr by folders."""
    with subprocess.Popen(["/usr/bin/dpkg-deb", "--fsys-tarfile", str(package)], stdout=subprocess.PIPE) as archive:
        subprocess.run(
            ["/bin/tar", "--extract", "--keep-directory-symlink", "--directory", str(tree)],
            stdin=archive.stdout,
            check=True,
            timeout=MAKE_DEADLINE,
        )
    assert archive.returncode == 0, "%s cannot be unpacked" % package


def _run(argv: Sequence[str], seconds: float) -> str:
    """Run a program and return its stdout. Raises AssertionError with its stderr."""
    done = subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, timeout=seconds, text=True)
    assert done.returncode == 0, "%s: %s" % (argv[0], done.stderr.strip())
    return done.stdout
