"""A mapper that is a program of its own in /usr/libexec/xcpng-ceph-hci/mappers, named by device-config:mapper.

The program is called with one of ``features map unmap list``, reads one JSON request on stdin, writes one JSON
reply to stdout and ends with 0; on failure it ends with another code and a sentence on stderr. The Ceph key goes
through stdin, never through the arguments.
"""

import json
import os
from typing import Any, Dict, List, Tuple, Type, TypeVar

from cephhci import errors
from cephhci.host.krbd import Krbd
from cephhci.host.mapper import Mapper, Mapping, Source
from cephhci.run import run
from cephhci.target import Target

Kind = TypeVar("Kind", str, bool, List[Any])

FOLDER = "/usr/libexec/xcpng-ceph-hci/mappers"
SECONDS = 60


def mapper(name: str, folder: str = FOLDER) -> Mapper:
    """The mapper called ``name``; raises InvalidArgument when this host has none of that name."""
    if name == "krbd":
        return Krbd()
    program = os.path.join(folder, name)
    if not os.access(program, os.X_OK):
        raise errors.InvalidArgument(
            name="device-config:mapper",
            reason="this host has no mapper %s" % name,
            way_out="Use krbd, or install %s" % program,
        )
    return ExternalMapper(program)


class ExternalMapper(Mapper):
    """See Mapper."""

    def __init__(self, program: str) -> None:
        self._program = program

    def features(self) -> Tuple[str, ...]:
        reply = self._call("features", {}, "asking for image features")
        return tuple(sorted(str(feature) for feature in _field(reply, "features", list)))

    def map(self, target: Target, source: Source, read_only: bool) -> Mapping:
        request: Dict[str, object] = {
            "user": target.user,
            "conffile": target.conffile or None,
            "conf": {"mon_host": target.monitors} if target.monitors else {},
            "key": target.key or None,
            "pool": source.pool,
            "namespace": source.namespace,
            "image": source.image,
            "snapshot": source.snapshot,
            "read_only": read_only,
        }
        reply = self._call("map", request, "mapping %s" % source.image)
        return Mapping(source, _field(reply, "device", str), read_only, str(reply.get("client", "")))

    def unmap(self, device: str) -> None:
        self._call("unmap", {"device": device}, "unmapping %s" % device)

    def mappings(self) -> List[Mapping]:
        reply = self._call("list", {}, "listing devices")
        maps: List[Dict[str, object]] = _field(reply, "maps", list)
        return [_mapping(item) for item in maps]

    def _call(self, verb: str, request: Dict[str, object], what: str) -> Dict[str, object]:
        try:
            reply = json.loads(run([self._program, verb], SECONDS, json.dumps(request).encode("ascii")).decode("utf-8"))
        except errors.CommandFailed as error:
            raise errors.MappingFailed(what=what, reason=str(error)) from error
        except ValueError as error:
            raise errors.MappingFailed(what=what, reason="the mapper's reply is not JSON: %s" % error) from error
        if not isinstance(reply, dict):
            raise errors.MappingFailed(what=what, reason="the mapper's reply is not a JSON object")
        return reply


def _field(reply: Dict[str, object], key: str, kind: Type[Kind]) -> Kind:
    value = reply.get(key)
    if not isinstance(value, kind):
        raise errors.MappingFailed(
            what="reading the mapper's reply", reason="%s is missing or not a %s" % (key, kind.__name__)
        )
    return value


def _mapping(item: Dict[str, object]) -> Mapping:
    names = [_field(item, key, str) for key in ("pool", "namespace", "image", "snapshot")]
    source = Source(*names)
    return Mapping(
        source, _field(item, "device", str), _field(item, "read_only", bool), str(item.get("client", ""))
    )
