#!/usr/bin/python3
"""tap-ctl without tapdisks: keeps its books in a file and writes every call down. Pids belong to no process."""

import fcntl
import json
import os
import sys

STATE = "/var/lib/probe/"
DEVICE = "/dev/xen/blktap-2/tapdev%d"
SOCKET = "/run/blktap-control/tapdisk/tapdisk-%d"  # where upstream's blktap has no devices any more
HAS_DEVICES = os.path.exists("/opt/xensource/sm/blktap2.py")
FIRST_PID = 4100000  # larger than a process can have here
TAPDEV_MAJOR = 7


def option(args, name):
    return args[args.index(name) + 1] if name in args else None


def main(args):
    taps = read("taps.json")
    verb, minor, pid = args[0], option(args, "-m"), option(args, "-p")
    tap = taps.get(minor, {})
    if str(read("orders.json").get("tap-ctl " + verb, "")):
        sys.exit(int(read("orders.json")["tap-ctl " + verb]))
    if verb == "allocate":
        minor = str(len(taps))
        taps[minor] = {"pid": -1, "state": 0, "args": ""}
        print(device(int(minor)))
    elif verb == "spawn":
        print(FIRST_PID + len(taps))
    elif verb == "free":
        taps.pop(minor)
    elif verb == "attach":
        tap["pid"] = int(pid)
    elif verb == "detach":
        tap["pid"] = -1
    elif verb == "open":
        tap["args"] = option(args, "-a")
        open("/run/blktap-control/nbd%s.%s" % (pid, minor), "w", encoding="utf-8").close()
    elif verb == "close":
        tap["args"] = ""
        os.unlink("/run/blktap-control/nbd%s.%s" % (pid, minor))
    elif verb == "pause":
        tap["state"] = 0x2A
    elif verb == "unpause":
        tap.update(state=0, args=option(args, "-a"))
    elif verb == "list":
        show(taps, args)
    else:
        sys.exit("unknown verb " + verb)
    with open(STATE + "taps.json", "w", encoding="utf-8") as stream:
        json.dump(taps, stream)


def device(minor):
    if not HAS_DEVICES:
        return SOCKET % minor
    if not os.path.exists(DEVICE % minor):
        os.mknod(DEVICE % minor, 0o060600, os.makedev(TAPDEV_MAJOR, minor))
    os.makedirs("/sys/class/blktap2/blktap!blktap%d" % minor, exist_ok=True)
    return DEVICE % minor


def show(taps, args):
    wanted = {"minor": option(args, "-m"), "pid": option(args, "-p"), "path": option(args, "-f")}
    for minor, tap in taps.items():
        row = {"minor": minor, "pid": str(tap["pid"]), "path": tap["args"].partition(":")[2]}
        if all(value is None or row[key] == value for key, value in wanted.items()):
            line = "pid=%d minor=%s state=0x%x" % (tap["pid"], minor, tap["state"])
            print(line + (" args=" + tap["args"] if tap["args"] else ""))


def read(name):
    with open(STATE + name, encoding="utf-8") as stream:
        return json.load(stream)


with open(STATE + "tap-calls", "a", encoding="utf-8") as log:
    fcntl.flock(log, fcntl.LOCK_EX)
    log.write(json.dumps(sys.argv[1:]) + "\n")
    log.flush()
    main(sys.argv[1:])
