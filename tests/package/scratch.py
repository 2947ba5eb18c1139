"""A root folder that dnf installs into, in which scriptlets run with a real shell and Python 3.6."""

import os
import shutil
import subprocess
import sysconfig
from pathlib import Path

SHELL = Path("/bin/busybox")
APPLETS = ("sh", "rm", "echo", "cat", "env")
CONFIGURATION = """\
[main]
reposdir=/nonexistent
gpgcheck=0
plugins=0
keepcache=0
clean_requirements_on_remove=0
logdir=/var/log
[packages]
name=packages
baseurl=file://{packages}
"""
PYTHON = """\
#!/bin/sh
# dom0's Python looks into this folder by itself.
PYTHONPATH=/usr/lib/python3.6/site-packages${{PYTHONPATH:+:$PYTHONPATH}} exec {interpreter} "$@"
"""


class Root:
    """A scratch root; ``packages`` is a folder of RPMs that dnf may choose from."""

    def __init__(self, folder: Path, interpreter: Path) -> None:
        self.path = folder / "root"
        self.packages = folder / "packages"
        self._home = folder / "home"
        self._configuration = folder / "dnf.conf"
        self._prefix = interpreter.resolve().parents[1]
        inside = [self.path / name for name in ("usr/bin", "dev", "tmp")]
        for wanted in (self.packages, self._home, *inside):
            wanted.mkdir(parents=True)
        self._populate()

    def _populate(self) -> None:
        for name in ("bin", "sbin", "usr/sbin"):
            (self.path / name).symlink_to("bin" if name == "usr/sbin" else "usr/bin")
        shutil.copy(SHELL, self.path / "usr/bin/busybox")
        for applet in APPLETS:
            (self.path / "usr/bin" / applet).symlink_to("busybox")
        python = self.path / "usr/bin/python3"
        interpreter = self._prefix / "bin/python3.6"
        python.write_text(PYTHON.format(interpreter=interpreter), encoding="ascii")
        python.chmod(0o755)
        # Without it every ">/dev/null" in a scriptlet fails and takes its command with it.
        os.mknod(self.path / "dev/null", 0o666 | 0o020000, os.makedev(1, 3))
        self._configuration.write_text(CONFIGURATION.format(packages=self.packages), encoding="ascii")
        # Debian's default is in the home directory of the user.
        (self._home / ".rpmmacros").write_text("%_dbpath /var/lib/rpm\n", encoding="ascii")

    def offer(self, *packages: Path) -> None:
        """Add RPMs to those that dnf may choose from."""
        for package in packages:
            shutil.copy(package, self.packages)
        subprocess.run(["createrepo_c", "--quiet", str(self.packages)], check=True, timeout=60)

    def dnf(self, *arguments: str) -> "subprocess.CompletedProcess[str]":
        """Run dnf on the root; --refresh, because the offered packages change under it."""
        options = ["-y", "--refresh", "--releasever=8.3", f"--installroot={self.path}"]
        return self._run(["dnf", *options, "-c", str(self._configuration), *arguments])

    def run(self, *argv: str) -> "subprocess.CompletedProcess[str]":
        """Run a program inside, with the environment that XAPI gives to plugins and drivers."""
        clean = ["env", "-i", "PATH=/sbin:/usr/sbin:/bin:/usr/bin"]
        return self._run(["chroot", str(self.path), *clean, *argv])

    def _run(self, argv: list[str]) -> "subprocess.CompletedProcess[str]":
        places = [(path, f"{self.path}{path}") for path in self._shared()]
        mounts = "".join(f"mkdir -p '{at}' && mount --rbind '{path}' '{at}' && " for path, at in places)
        return subprocess.run(
            ["unshare", "--mount", "--propagation", "private", "sh", "-c", mounts + 'exec "$@"', "sh", *argv],
            env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "HOME": str(self._home), "LC_ALL": "C.UTF-8"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=120,
        )

    def _shared(self) -> list[Path]:
        """What Python 3.6 needs of this machine: itself, the C library and its loader, the kernel."""
        triple = sysconfig.get_config_var("MULTIARCH")
        libraries = [Path("/usr/lib") / triple, Path("/lib") / triple, Path("/lib64")]
        return [Path("/proc"), self._prefix, *(path for path in libraries if path.exists())]

    def drivers(self) -> list[str]:
        """What XAPI would allow: /etc/xapi.conf, then the fragments in byte order; the last one wins."""
        folder = self.path / "etc/xapi.conf.d"
        names = sorted(os.listdir(os.fsencode(folder))) if folder.exists() else []
        files = [self.path / "etc/xapi.conf", *(folder / os.fsdecode(name) for name in names)]
        allowed: list[str] = []
        for path in files:
            if path.exists():
                for line in path.read_text(encoding="utf-8").splitlines():
                    key, _, value = line.partition("=")
                    if key.strip() == "sm-plugins":
                        allowed = value.split()
        return allowed
