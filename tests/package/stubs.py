"""Packages that stand for what a dom0 already has, so that dnf resolves and triggers run as there."""

import subprocess
from pathlib import Path

STOCK = (
    "ext nfs iscsi lvmoiscsi dummy file hba rawhba udev iso lvm lvmohba lvmofcoe shm smb cephfs glusterfs"
    " xfs zfs largeblock"
)
LINSTOR = "ext nfs iscsi dummy file iso lvm smb ext4 largeblock linstor"
LINSTOR_FRAGMENT = "99-enable-sm-driver-linstor.conf"

HEADER = """\
Name: {name}
Version: {version}
Release: 1
Summary: Stands for {name}
License: none
BuildArch: noarch
{tags}
%description
{name}
%install
mkdir -p %{{buildroot}}/etc/xapi.conf.d
{install}
%files
{files}
"""


def dom0(folder: Path) -> Path:
    """Everything but xapi: names and versions as in XCP-ng 8.3 with Ceph's el7 repository enabled."""
    provided = (
        "sm = 3.2.12", "ceph-common = 2:14.2.22", "python36-rados = 2:14.2.22", "python36-rbd = 2:14.2.22",
        "python(abi) = 3.6", "/usr/bin/python3", "/bin/sh",
    )  # fmt: skip
    return _build(folder, "dom0-stub", "8.3", tags="\n".join("Provides: " + name for name in provided))


def xapi(folder: Path, version: str, drivers: str) -> Path:
    """xapi-core with its configuration file, which an update replaces whatever was edited."""
    install = f"echo 'sm-plugins={drivers}' >%{{buildroot}}/etc/xapi.conf"
    return _build(folder, "xapi-core", version, install=install, files="%config /etc/xapi.conf")


def linstor(folder: Path) -> Path:
    """xcp-ng-linstor with its own full list of drivers."""
    path = "/etc/xapi.conf.d/" + LINSTOR_FRAGMENT
    install = f"echo 'sm-plugins={LINSTOR}' >%{{buildroot}}{path}"
    return _build(folder, "xcp-ng-linstor", "1.2", install=install, files=path)


def _build(folder: Path, name: str, version: str, tags: str = "", install: str = "", files: str = "") -> Path:
    spec = folder / f"{name}-{version}.spec"
    text = HEADER.format(name=name, version=version, tags=tags, install=install, files=files)
    spec.write_text(text, encoding="utf-8")
    defines = ["--define", f"_topdir {folder}/build", "--define", f"_rpmdir {folder}"]
    subprocess.run(["rpmbuild", "-bb", "--quiet", *defines, str(spec)], check=True, timeout=60)
    return folder / "noarch" / f"{name}-{version}-1.noarch.rpm"
