"""Device-config as administrators, XAPI and Xen Orchestra write it."""

from typing import Dict, List, Tuple

import pytest

from cephhci.deviceconfig import parse, target
from cephhci.errors import InvalidArgument, MissingArgument

KEY = "AQBkZGRkAAAAABAAMTIzNDU2Nzg5MDEyMzQ1Ng=="
REFUSED: List[Tuple[Dict[str, str], type, str]] = [
    ({}, MissingArgument, "pool"),
    ({"pool": ""}, MissingArgument, "pool"),
    ({"pool": "xcp", "pol": "xcp"}, InvalidArgument, "pol"),
    ({"pool": "x/y"}, InvalidArgument, "pool"),
    ({"pool": "x\ny"}, InvalidArgument, "pool"),
    ({"pool": "m\u00fcll"}, InvalidArgument, "pool"),
    ({"pool": "xcp", "location": "other"}, InvalidArgument, "pool"),
    ({"pool": "xcp", "namespace": "../n"}, InvalidArgument, "namespace"),
    ({"pool": "xcp", "user": "client xcp"}, InvalidArgument, "user"),
    ({"pool": "xcp", "mapper": "/bin/sh"}, InvalidArgument, "mapper"),
    ({"pool": "xcp", "mapper": "../../bin/sh"}, InvalidArgument, "mapper"),
    ({"pool": "xcp", "monitors": "10.0.0.1"}, MissingArgument, "password"),
    ({"pool": "xcp", "password": KEY}, MissingArgument, "monitors"),
    ({"pool": "xcp", "monitors": "10.0.0.1", "cluster": "hci", "password": KEY}, InvalidArgument, "monitors"),
    ({"pool": "xcp", "monitors": "10.0.0.1 -c/etc", "password": KEY}, InvalidArgument, "monitors"),
    ({"pool": "xcp", "monitors": "h", "password": KEY, "password_secret": "u"}, InvalidArgument, "password"),
]


@pytest.mark.parametrize("given, kind, key", REFUSED)
def test_refuses_and_names_the_key(given: Dict[str, str], kind: type, key: str) -> None:
    with pytest.raises(kind) as caught:
        parse(given)
    assert str(caught.value).startswith("device-config:%s: " % key)
    assert caught.value.advice
    caught.value.sentence.encode("ascii")


@pytest.mark.parametrize("text", ["my dog's name", "AQBk", KEY[:-3], KEY[:-4] + "AAAA", "b\u00fcro", KEY + "\n"])
def test_what_is_no_key_is_refused_and_not_repeated(text: str) -> None:
    config = parse({"pool": "xcp", "monitors": "10.0.0.1", "password_secret": "0f3a"})
    with pytest.raises(InvalidArgument) as caught:
        target(config, text)
    assert text not in caught.value.sentence


def test_a_named_cluster_is_the_default() -> None:
    config = parse({"pool": "xcp"})
    assert (config.cluster, config.user, config.mapper, config.monitors) == ("hci", "xcp", "krbd", ())
    assert target(config, "").conffile == "/etc/ceph/hci.conf"


def test_monitors_with_what_xapi_adds() -> None:
    given = {
        "pool": "xcp",
        "monitors": "10.0.0.1, v2:10.0.0.2:3300,[fd00::3]:6789",
        "user": "alice",
        "password_secret": "0f3a",
        "SRmaster": "true",
    }
    config = parse(given)
    reached = target(config, KEY)
    assert reached.monitors == "10.0.0.1,v2:10.0.0.2:3300,[fd00::3]:6789"
    assert (reached.user, reached.conffile, reached.key) == ("alice", "", KEY)
    assert KEY not in repr(reached)


def test_location_stands_for_pool() -> None:
    assert parse({"location": "xcp"}).pool == "xcp"
    assert parse({"location": "xcp", "pool": "xcp"}).pool == "xcp"


def test_a_probe_needs_no_pool() -> None:
    assert parse({}, need_pool=False).pool == ""
