"""Moves the input through the block device of a host, and reads it back."""

import hashlib
import subprocess
import tempfile

from demonstration.image import Input
from lab import enter
from lab.lab import MachineHandle

SLOWEST = 2 << 20  # bytes per second that a transfer must reach
PATIENCE = 60.0
CHUNK = 4 << 20
MOUNT = """
set -e
mkdir -p /tmp/root
mount -t ext4 -o ro "$1" /tmp/root
trap 'umount /tmp/root' EXIT
chroot /tmp/root /bin/sh -c '. /etc/os-release; echo "$PRETTY_NAME"'
"""


def write(source: Input, host: MachineHandle, device: str) -> None:
    """Write the whole input, past every cache of the host. Raises AssertionError."""
    argv = ["/bin/dd", "of=" + device, "bs=%d" % CHUNK, "iflag=fullblock", "oflag=direct", "conv=fsync", "status=none"]
    with source.path.open("rb") as file:
        done = subprocess.run(
            host.argv(argv),
            stdin=file,
            capture_output=True,
            text=True,
            timeout=_deadline(source),
            env=enter.ENVIRONMENT,
        )
    assert done.returncode == 0, "writing to %s on %s: %s" % (device, host.name, done.stderr.strip())


def read_sha256(source: Input, host: MachineHandle, device: str) -> str:
    """SHA-256 of as many bytes of the device as the input has. Raises AssertionError."""
    digest = hashlib.sha256()
    left = source.size
    argv = ["/bin/dd", "if=" + device, "bs=%d" % CHUNK, "iflag=direct", "status=none"]
    with tempfile.TemporaryFile() as errors:
        with subprocess.Popen(
            ["/usr/bin/timeout", str(int(_deadline(source))), *host.argv(argv)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=errors,
            env=enter.ENVIRONMENT,
        ) as reader:
            assert reader.stdout is not None
            while data := reader.stdout.read(CHUNK):
                digest.update(data[:left])
                left -= min(left, len(data))
        errors.seek(0)
        said = errors.read().decode("utf-8", "replace").strip()
    assert reader.returncode == 0, "reading %s on %s: %s" % (device, host.name, said)
    assert left == 0, "%s on %s is %d bytes too short" % (device, host.name, left)
    return digest.hexdigest()


def refuses_writes(host: MachineHandle, device: str) -> bool:
    """Whether the host cannot write to the device."""
    done = host.run(["/bin/dd", "if=/dev/zero", "of=" + device, "bs=4096", "count=1", "conv=notrunc", "status=none"])
    return done.returncode != 0


def run_from(host: MachineHandle, device: str) -> str:
    """Mount the root file system read-only, run its own shell, and return what that says. Raises AssertionError."""
    done = host.run(["/bin/sh", "-c", MOUNT, "sh", device])
    assert done.returncode == 0, "using the root file system on %s: %s" % (host.name, done.stderr.strip())
    return done.stdout.strip()


def _deadline(source: Input) -> float:
    return PATIENCE + source.size / SLOWEST
