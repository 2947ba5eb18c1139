"""The mapper protocol of the product: argv names the verb, stdin carries a JSON request, stdout the reply.

A failure is one sentence on stderr and exit code 1.
"""

import json
import sys
from collections.abc import Callable
from dataclasses import asdict

from lab.dom0.mapper.daemon import MapFailed, Source
from lab.dom0.mapper.maps import Maps

FEATURES = ("layering", "exclusive-lock", "object-map", "fast-diff", "deep-flatten")
Reply = dict[str, object]


def main(argv: list[str]) -> int:
    """Run one verb; returns the exit code."""
    verbs: dict[str, Callable[[Reply], Reply]] = {
        "map": _map,
        "unmap": _unmap,
        "list": _list,
        "features": lambda _: {"features": list(FEATURES)},
    }
    try:
        if len(argv) != 1 or argv[0] not in verbs:
            raise MapFailed("usage: fuse %s" % "|".join(verbs))
        request = json.loads(sys.stdin.read() or "{}")
        if not isinstance(request, dict):
            raise MapFailed("the request is not a JSON object")
        reply = verbs[argv[0]](request)
    except (MapFailed, KeyError, ValueError, OSError) as error:
        reason = "the request lacks %s" % error if isinstance(error, KeyError) else error
        sys.stderr.write("%s\n" % reason)
        return 1
    sys.stdout.write(json.dumps(reply) + "\n")
    return 0


def _map(request: Reply) -> Reply:
    source = Source(
        pool=str(request["pool"]),
        namespace=str(request["namespace"]),
        image=str(request["image"]),
        snapshot=str(request["snapshot"]),
        read_only=bool(request["read_only"]),
    )
    conf, conffile, key = request["conf"], request["conffile"], request["key"]
    if not isinstance(conf, dict):
        raise MapFailed("conf is not a JSON object")
    options = {str(name): str(value) for name, value in conf.items()}
    user = str(request["user"])
    device = Maps().map(source, user, options, str(conffile) if conffile else None, str(key) if key else None)
    return {"device": device}


def _unmap(request: Reply) -> Reply:
    Maps().unmap(str(request["device"]))
    return {}


def _list(request: Reply) -> Reply:
    return {"maps": [{"device": device, **asdict(source)} for device, source in Maps().all()]}
