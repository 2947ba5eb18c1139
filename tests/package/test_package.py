"""The package as an administrator meets it: dnf installs, updates and removes it, and its scriptlets run."""

import stat
import subprocess

import pytest

from package import stubs
from package.build import ROOT, SITELIB_DEBIAN, build_rpm

pytestmark = pytest.mark.package

FRAGMENT = "etc/xapi.conf.d/zz-enable-sm-driver-ceph.conf"
PLACES = {
    "opt/xensource/sm/CephSR.py": 0o100755,
    "etc/xapi.d/plugins/hci": 0o100755,
    "usr/libexec/xcpng-ceph-hci/sm-plugins-update": 0o100755,
    "usr/libexec/xcpng-ceph-hci/mappers": 0o040755,
    "usr/lib/udev/rules.d/55-xcpng-ceph-hci.rules": 0o100644,
    "usr/lib/modules-load.d/xcpng-ceph-hci.conf": 0o100644,
    "usr/lib/python3.6/site-packages/cephhci/whitelist.py": 0o100644,
    FRAGMENT: 0o100644,
}


def test_missing_packages_are_named(root, rpm):
    root.offer(rpm)
    result = root.dnf("install", "xcpng-ceph-hci")
    assert result.returncode != 0
    for name in ("sm >= 3.2.3", "xapi-core", "ceph-common", "python36-rados", "python36-rbd", "python(abi)"):
        assert name in result.stdout


def test_everything_is_in_its_place(host):
    for path, mode in PLACES.items():
        assert oct((host.path / path).lstat().st_mode) == oct(mode), path
    assert (host.path / "opt/xensource/sm/CephSR").readlink().as_posix() == "CephSR.py"


def test_every_module_of_the_driver_is_installed(host):
    for path in (ROOT / "sm-driver").glob("*.py"):
        installed = host.path / "opt/xensource/sm" / path.name
        wanted = 0o755 if path.name == "CephSR.py" else 0o644
        assert stat.S_IMODE(installed.stat().st_mode) == wanted


def test_the_driver_is_added_to_the_stock_list(host):
    assert host.drivers() == stubs.STOCK.split() + ["ceph"]
    assert "run xe-toolstack-restart" in host.printed


def test_the_list_follows_the_other_packages(host, dom0):
    host.offer(dom0["linstor"])
    assert host.dnf("install", "xcp-ng-linstor").returncode == 0
    assert host.drivers() == stubs.LINSTOR.split() + ["ceph"]
    host.offer(dom0["xapi-update"])
    assert host.dnf("update", "xapi-core").returncode == 0
    assert host.drivers() == stubs.LINSTOR.split() + ["ceph"]
    assert host.dnf("remove", "xcp-ng-linstor").returncode == 0
    assert host.drivers() == [*stubs.STOCK.split(), "brandnew", "ceph"]


def test_linstor_before_us(root, dom0, rpm):
    root.offer(dom0["base"], dom0["xapi"], dom0["linstor"], rpm)
    assert root.dnf("install", "xcp-ng-linstor", "xapi-core").returncode == 0
    assert root.dnf("install", "xcpng-ceph-hci").returncode == 0
    assert root.drivers() == stubs.LINSTOR.split() + ["ceph"]


def test_an_update_of_ours_keeps_the_list(host, dom0, tmp_path):
    before = (host.path / FRAGMENT).read_text(encoding="utf-8")
    host.offer(newer(tmp_path))
    result = host.dnf("update", "xcpng-ceph-hci")
    assert result.returncode == 0, result.stdout
    assert "Upgraded" in result.stdout
    assert (host.path / FRAGMENT).read_text(encoding="utf-8") == before
    assert "xe-toolstack-restart" not in result.stdout
    assert (host.path / "opt/xensource/sm/CephSR").exists()


def newer(folder):
    """The package of one commit more."""
    clone = folder / "clone"
    subprocess.run(["git", "clone", "-q", str(ROOT), str(clone)], check=True)
    with open(clone / "NEWS.md", "a", encoding="utf-8") as news:
        news.write("- One thing more.\n")
    author = ["-c", "user.name=Test", "-c", "user.email=test@localhost"]
    subprocess.run(["git", "-C", str(clone), *author, "commit", "-q", "-a", "-m", "One more"], check=True)
    return build_rpm(repository=clone)


def test_removal_leaves_nothing(host):
    ran = host.run("/usr/bin/python3", "-c", "import cephhci.whitelist, cephhci.host.xapiconf")
    assert ran.returncode == 0, ran.stdout
    assert list(host.path.glob("usr/lib/python3.6/site-packages/cephhci/__pycache__/*"))
    result = host.dnf("remove", "xcpng-ceph-hci")
    assert result.returncode == 0, result.stdout
    assert "run xe-toolstack-restart" in result.stdout
    assert host.drivers() == stubs.STOCK.split()
    left = [path for path in host.path.rglob("*") if "ceph" in path.name.lower()]
    assert left == []


def test_scriptlets_never_restart_the_toolstack(rpm):
    argv = ["rpm", "-qp", "--scripts", "--triggers", rpm]
    scripts = subprocess.run(argv, check=True, stdout=subprocess.PIPE, text=True).stdout
    commands = [line for line in scripts.splitlines() if "echo" not in line]
    assert not any("toolstack" in line or "systemctl" in line for line in commands)


def test_it_can_be_built_for_another_python():
    package = build_rpm(SITELIB_DEBIAN)
    argv = ["rpm", "-qpl", "--requires", package]
    listed = subprocess.run(argv, check=True, stdout=subprocess.PIPE, text=True).stdout
    assert SITELIB_DEBIAN + "/cephhci/run.py" in listed
    assert "python(abi)" not in listed


def test_rpmlint_of_the_built_packages(rpm):
    sources = list(rpm.parents[1].glob("*.src.rpm"))
    argv = ["rpmlint", "--config", str(ROOT / "rpm/rpmlint.toml"), rpm, *sources]
    result = subprocess.run(argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    assert "0 errors, 0 warnings" in result.stdout, result.stdout
