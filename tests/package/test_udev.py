"""The udev rule, applied by udev itself to a disk that is there; only the pattern is another one."""

import subprocess
from pathlib import Path

import pytest

from package.build import ROOT

pytestmark = pytest.mark.package

RULES = "55-xcpng-ceph-hci.rules"
# Private /run for the rule and private /dev, because even `udevadm test` makes links there.
SCRIPT = """\
mount -t tmpfs tmpfs /run && mount -t tmpfs tmpfs /dev &&
mkdir -p /run/udev/rules.d && cat >/run/udev/rules.d/{rules} && exec udevadm test /sys/block/{disk} 2>&1
"""


def settled(disk, rules):
    """What udev decides about the disk with these rules beside those of the system."""
    script = SCRIPT.format(rules=RULES, disk=disk)
    argv = ["unshare", "--mount", "--propagation", "private", "sh", "-c", script]
    result = subprocess.run(argv, input=rules, stdout=subprocess.PIPE, text=True, timeout=60)
    assert result.returncode == 0, result.stdout
    return result.stdout


@pytest.fixture
def disk():
    # A kind whose content udev does look into.
    found = sorted(path.name for path in Path("/sys/block").glob("loop*"))
    if not found:
        pytest.skip("expected: no loop device on this machine")
    return found[0]


def test_our_disks_are_left_alone(disk):
    rules = (ROOT / "rpm" / RULES).read_text(encoding="utf-8").replace("rbd*", disk)
    before, after = settled(disk, ""), settled(disk, rules)
    assert "builtin command 'blkid'" in before
    assert "blkid" not in after
    assert "DM_UDEV_DISABLE_OTHER_RULES_FLAG=1" in after.splitlines()
    complaints = [line for line in after.lower().splitlines() if "invalid" in line or "unknown" in line]
    assert not any(RULES in line for line in complaints)


def test_other_disks_are_not_touched(disk):
    rules = (ROOT / "rpm" / RULES).read_text(encoding="utf-8")
    assert "UDISKS_IGNORE" not in settled(disk, rules)
