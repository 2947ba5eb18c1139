"""Builds the RPM of what is committed, as a release would be built: `tito build`.

    from package.build import build_rpm        with tests/ on sys.path
    python3 tests/package/build.py             prints the path of the RPM

A build is kept under /var/tmp by commit. Uncommitted changes are not in it, which is said on stderr.
"""

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
KEPT = Path("/var/tmp/xcpng-ceph-hci-rpm")
TESTS_CACHE = Path(os.environ.get("HCI_TEST_CACHE", "/var/cache/xcpng-ceph-hci-tests"))
SHIPPED = ("cephhci", "sm-driver", "xapi-plugins", "rpm", "setup.py", "xcpng-ceph-hci.spec", ".tito")
LINES_SHOWN = 20  # of a failed build's output
SITELIB_XCPNG = "/usr/lib/python3.6/site-packages"
SITELIB_DEBIAN = "/usr/lib/python3/dist-packages"


class BuildFailed(Exception):
    """tito did not make a package; the text is what it printed."""


def build_rpm(python3_sitelib: str = SITELIB_XCPNG, repository: Path = ROOT) -> Path:
    """The binary RPM of the repository's HEAD, with the library in that folder; built once per commit."""
    warn_of_uncommitted(repository)
    commit = _git(repository, "rev-parse", "HEAD")
    place = hashlib.sha256(str(repository).encode() + python3_sitelib.encode()).hexdigest()[:8]
    kept = KEPT / f"{commit[:12]}-{place}"
    if not kept.is_dir():
        KEPT.mkdir(parents=True, exist_ok=True)
        making = Path(tempfile.mkdtemp(dir=KEPT, prefix="making-"))
        try:
            _tito(repository, making, python3_sitelib)
            making.rename(kept)
        except OSError:
            # Somebody else was building the same commit and was faster.
            if not kept.is_dir():
                raise
        finally:
            shutil.rmtree(making, ignore_errors=True)
    [package] = kept.glob("noarch/*.noarch.rpm")
    return package


def warn_of_uncommitted(repository: Path) -> None:
    changed = _git(repository, "status", "--porcelain", "--", *SHIPPED)
    if changed:
        print(f"The package is built from HEAD, without these changes:\n{changed}", file=sys.stderr)


def _tito(repository: Path, output: Path, python3_sitelib: str) -> None:
    program = TESTS_CACHE / "debian/bin/tito"
    if not program.exists():
        raise BuildFailed(f"{program} is missing: run tests/install")
    # Debian's rpm database is empty, so no BuildRequires is ever met: --nodeps.
    options = f"--nodeps --define 'python3_sitelib {python3_sitelib}'"
    argv = [str(program), "build", "--rpm", "--test", "--output", str(output), f"--rpmbuild-options={options}"]
    result = subprocess.run(
        argv,
        cwd=repository,
        env={**os.environ, "PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C.UTF-8"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        errors="replace",
        timeout=300,
    )
    if result.returncode != 0 or not list(output.glob("noarch/*.noarch.rpm")):
        lines = [line for line in result.stdout.splitlines() if not line.startswith("copying ")][-LINES_SHOWN:]
        raise BuildFailed("\n".join(line[:160] for line in lines))


def _git(repository: Path, *arguments: str) -> str:
    argv = ["git", "-C", str(repository), *arguments]
    return subprocess.run(argv, check=True, stdout=subprocess.PIPE, encoding="utf-8").stdout.strip()


if __name__ == "__main__":
    print(build_rpm(sys.argv[1] if len(sys.argv) > 1 else SITELIB_XCPNG))
