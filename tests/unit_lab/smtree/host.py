"""A host for one SM tree: a root of its own over this machine's files, where a script of driver calls is run.

    unshare --mount --pid --fork --kill-child python3 host.py TREE < script.json > results.json

A step of the script is a dictionary; see ``Host.step``.
"""

import json
import os
import shutil
import subprocess
import sys
import xmlrpc.client
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parents[1] / "sm")]

import fakexapi  # noqa: E402
import real_tree  # noqa: E402

STATE = Path("/var/lib/probe")
SR = "00000000-0000-0000-0000-00000000005a"
HOST = "00000000-0000-0000-0000-00000000000a"
DOMAIN = "00000000-0000-0000-0000-0000000000d0"
INVENTORY = f"INSTALLATION_UUID='{HOST}'\nCONTROL_DOMAIN_UUID='{DOMAIN}'\n"
LINKS = ("/dev/sm/phy", "/dev/sm/backend", "/run/blktap-control/nbd")
DEVICES = {"null": (1, 3), "zero": (1, 5), "urandom": (1, 9), "random": (1, 8), "full": (1, 7)}

NEXT_UUID = """read last < /tmp/uuid || last=0
echo $((last + 1)) > /tmp/uuid
printf '00000000-0000-0000-0000-%012d\\n' $((last + 1))
"""
PROGRAMS = {"systemctl": "exit 0\n", "cgclassify": "exit 0\n", "uuidgen": NEXT_UUID}


def mount(kind: str, source: str, target: Path, *options: str) -> None:
    target.mkdir(parents=True, exist_ok=True)
    subprocess.run(["mount", "-t", kind, *options, source, str(target)], check=True)


def root() -> Path:
    """This machine's files, with everything that is written going to memory."""
    base = Path("/mnt")  # of this mount namespace, so that nothing is left
    mount("tmpfs", "tmpfs", base)
    for name in ("upper", "work"):
        (base / name).mkdir()
    files = base / "root"
    mount("overlay", "overlay", files, "-o", f"lowerdir=/,upperdir={base}/upper,workdir={base}/work")
    mount("proc", "proc", files / "proc")
    for name in ("dev", "run", "tmp", "sys", "var/lib/xcp", "etc/xapi.d/plugins"):
        mount("tmpfs", "tmpfs", files / name)
    for name in ("run/lock", "run/blktap-control", "dev/xen/blktap-2", "sys/class/blktap2", "sys/dev/block"):
        (files / name).mkdir(parents=True)
    for name, (major, minor) in DEVICES.items():
        os.mknod(files / "dev" / name, 0o020666, os.makedev(major, minor))
    (files / "tmp/devices").write_text("Block devices:\n7 tapdev\n", "utf-8")
    subprocess.run(["mount", "--bind", str(files / "tmp/devices"), str(files / "proc/devices")], check=True)
    return files


def furnish(files: Path, tree: str) -> None:
    """The tree, the probe driver, and the programs that SM calls."""
    shutil.rmtree(files / real_tree.SM, ignore_errors=True)
    real_tree.install(tree, str(files))
    for name in ("ProbeSR.py", "BareSR"):
        shutil.copy(HERE / "ProbeSR.py", files / real_tree.SM / name)
        (files / real_tree.SM / name).chmod(0o755)
    (files / real_tree.SM / "ProbeSR").symlink_to("ProbeSR.py")
    xenapi = Path(os.environ["XENAPI"])
    shutil.copytree(xenapi, files / real_tree.PYTHON / "XenAPI", dirs_exist_ok=True)
    shutil.copy(HERE / "tapctl.py", files / "usr/sbin/tap-ctl")
    (files / "usr/sbin/tap-ctl").chmod(0o755)
    for name, text in PROGRAMS.items():
        path = files / "usr/bin" / name
        path.unlink(missing_ok=True)
        path.write_text("#!/bin/sh\n" + text, "utf-8")
        path.chmod(0o755)
    (files / "etc/xensource-inventory").write_text(INVENTORY, "utf-8")
    os.makedirs(files / str(STATE)[1:], exist_ok=True)


class Host:
    """Runs steps and says what each of them caused."""

    def __init__(self) -> None:
        self.xapi = fakexapi.Xapi()
        self.reset()
        fakexapi.serve(self.xapi)

    def reset(self) -> None:
        """As after an installation."""
        self.xapi.objects.clear()
        add = self.xapi.add
        self.host = add("host", HOST, other_config={}, name_label="h")
        self.sr = add("SR", SR, type="probe", other_config={}, sm_config={}, shared=True, virtual_allocation="0",
                      physical_size="0", physical_utilisation="0")
        add("SM", "sm", type="probe", driver_filename="/opt/xensource/sm/ProbeSR", capabilities=[])
        add("PBD", "pbd", SR=self.sr, host=self.host, device_config={"place": "here"})
        add("VM", DOMAIN, resident_on=self.host)
        add("pool", "pool", master=self.host, restrictions={})
        add("secret", "secret", value="hush")
        self.write("orders.json", {})
        self.write("disks.json", {})
        self.write("taps.json", {})
        for folder in LINKS:
            shutil.rmtree(folder, ignore_errors=True)

    @staticmethod
    def write(name: str, value: Any) -> None:
        (STATE / name).write_text(json.dumps(value), "utf-8")

    def step(self, step: dict[str, Any]) -> dict[str, Any]:
        """Prepare, make one call (or run ``argv``), and tell what it caused.

        ``fresh`` resets first; ``orders``, ``disks``, ``capabilities`` and ``driver`` are set; ``rows`` are VDI
        records by uuid.

        ``later``: [n, vdi, key] removes a key of sm_config after the call has looked at a sm_config n times.
        """
        if step.get("fresh"):
            self.reset()
        for name in ("orders", "disks"):
            if name in step:
                self.write(name + ".json", step[name])
        record = self.xapi.objects["SM"]["OpaqueRef:sm"]
        record["capabilities"] = step.get("capabilities", record["capabilities"])
        record["driver_filename"] = step.get("driver", "/opt/xensource/sm/ProbeSR")
        for uuid, fields in step.get("rows", {}).items():
            self.row(uuid, fields)
        if "later" in step:
            times, vdi, key = step["later"]
            config = self.xapi.objects["VDI"][fakexapi.ref(vdi)]["sm_config"]
            self.xapi.later = (times, lambda: config.pop(key))
        for name in ("calls", "tap-calls"):
            (STATE / name).write_text("", "utf-8")
        self.xapi.calls.clear()
        try:
            done = subprocess.run(self.argv(step), capture_output=True, check=False, cwd="/", timeout=20,
                                  env={"PATH": "/sbin:/usr/sbin:/bin:/usr/bin", "ORIGINATOR": "SM"})
        except subprocess.TimeoutExpired as error:
            done = subprocess.CompletedProcess(error.cmd, -1, b"", b"timeout")
        return self.outcome(done)

    def argv(self, step: dict[str, Any]) -> list[str]:
        if "argv" in step:
            return list(step["argv"])
        call = step["call"]
        params = {"command": call, "args": step.get("args", []), "host_ref": self.host, "sr_uuid": SR,
                  "device_config": {"place": "here", "SRmaster": "true", **step.get("device_config", {})},
                  "session_ref": fakexapi.ref("session"), "sr_ref": self.sr, "subtask_of": "DummyRef:|x|y"}
        if "vdi" in step:
            ref = fakexapi.ref(step["vdi"])
            params.update(vdi_uuid=step["vdi"], vdi_location=step["vdi"], vdi_ref=ref, vdi_on_boot="persist",
                          vdi_allow_caching="false")
        params.update(step.get("params", {}))
        for name in step.get("without", []):
            del params[name]
        return ["/opt/xensource/sm/ProbeSR", xmlrpc.client.dumps((params,), call)]

    def row(self, uuid: str, fields: dict[str, Any]) -> None:
        defaults = {"name_label": "", "name_description": "", "SR": self.sr, "type": "user", "sharable": False,
                    "read_only": False, "other_config": {}, "location": uuid, "sm_config": {}, "managed": True,
                    "virtual_size": "0", "physical_utilisation": "0", "is_a_snapshot": False, "cbt_enabled": False}
        self.xapi.add("VDI", uuid, **{**defaults, **fields})

    def outcome(self, done: "subprocess.CompletedProcess[bytes]") -> dict[str, Any]:
        rows = self.xapi.objects.get("VDI", {})
        return {
            "exit": done.returncode,
            "reply": reply(done.stdout),
            "stderr": done.stderr.decode()[-2000:],
            "xapi": [list(call) for call in self.xapi.calls],
            "driver": [json.loads(line) for line in (STATE / "calls").read_text("utf-8").splitlines()],
            "tap": [json.loads(line) for line in (STATE / "tap-calls").read_text("utf-8").splitlines()],
            "rows": json.loads(json.dumps(rows, default=str)),
            "links": sorted(link(path) for folder in LINKS for path in Path(folder).rglob("*") if not path.is_dir()),
        }


def link(path: Path) -> str:
    return f"{path} -> {os.readlink(path)}" if path.is_symlink() else str(path)


def reply(stdout: bytes) -> Any:
    """The reply, or {"fault", "text"}, or {"unreadable"}."""
    try:
        return {"value": xmlrpc.client.loads(stdout)[0][0]}
    except xmlrpc.client.Fault as fault:
        return {"fault": fault.faultCode, "text": fault.faultString}
    except Exception:
        return {"unreadable": stdout.decode()}


def main() -> None:
    steps = json.load(sys.stdin)
    files = root()
    furnish(files, sys.argv[1])
    os.chroot(files)
    os.chdir("/")
    host = Host()
    json.dump([host.step(step) for step in steps], sys.stdout)


if __name__ == "__main__":
    main()
