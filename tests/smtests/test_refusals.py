"""What cannot be done is refused with the way out, and changes nothing."""

import pytest

from lab.lab import XeFailed
from lab.place import POOL, Place

# What is wrong, the XE error code that XAPI shows, and what the sentence must name.
WRONG = [
    ({"pool": None}, "115", "device-config:pool"),
    ({"pool": "nothing"}, "91", "Existing pools"),
    ({"pool": "a b"}, "SR_BACKEND_FAILURE_1", "device-config:pool"),
    ({"pool": "b\u00fcro"}, "SR_BACKEND_FAILURE_1", "device-config:pool"),
    ({"pooll": "xcp"}, "SR_BACKEND_FAILURE_1", "device-config:pooll"),
    ({"monitors": None}, "115", "device-config:monitors"),
    ({"password": None}, "115", "device-config:password"),
    ({"password": "guess"}, "SR_BACKEND_FAILURE_1", "ceph auth get-key"),
    ({"password": "AQBkZGRkAAAAABAAMTIzNDU2Nzg5MDEyMzQ1Ng=="}, "47", "client user xcp|refuses Ceph user xcp"),
    ({"user": "nobody"}, "47", "nobody"),
    ({"namespace": "missing"}, "91", "rbd namespace create"),
    ({"data_pool": "missing"}, "91", "Existing pools"),
    ({"mapper": "missing"}, "SR_BACKEND_FAILURE_1", "device-config:mapper"),
    ({"cluster": "hci"}, "SR_BACKEND_FAILURE_1", "device-config:monitors"),
]  # fmt: skip


@pytest.mark.parametrize("changes, code, words", WRONG)
def test_wrong_device_config(place: Place, changes: dict[str, str | None], code: str, words: str) -> None:
    before = place.lab.xe("sr-list", "--minimal")
    with pytest.raises(XeFailed) as caught:
        place.create_sr(**changes)
    text = str(caught.value)
    assert code in text
    assert any(word in text for word in words.split("|")), text
    assert place.key() not in text
    assert place.lab.xe("sr-list", "--minimal") == before
    assert place.index() == {}


def test_an_occupied_place(place: Place, sr: str) -> None:
    with pytest.raises(XeFailed) as caught:
        place.create_sr()
    assert "SR_BACKEND_FAILURE_42" in str(caught.value)
    assert "xe sr-introduce uuid=%s" % sr in str(caught.value)
    assert place.index()["sr"]["sr"] == sr
    other = Place(place.lab)
    other.destroy_sr(other.create_sr())


@pytest.mark.parametrize("size, code", [("0", "79"), ("-1", ""), (str(2 << 50), "79")])
def test_impossible_sizes(place: Place, sr: str, size: str, code: str) -> None:
    with pytest.raises(XeFailed) as caught:
        place.create_disk(sr, size=size)
    assert code in str(caught.value)
    assert place.disks(sr) == [] and place.images() == [] and list(place.index()) == ["sr"]


def test_a_disk_larger_than_the_quota(place: Place, sr: str) -> None:
    place.ceph("osd", "pool", "set-quota", POOL, "max_bytes", str(1 << 40))
    try:
        with pytest.raises(XeFailed) as caught:
            place.create_disk(sr, size="2TiB")
        assert "SR_BACKEND_FAILURE_44" in str(caught.value)
        assert place.disks(sr) == [] and list(place.index()) == ["sr"]
    finally:
        place.ceph("osd", "pool", "set-quota", POOL, "max_bytes", "0")


def test_an_sr_with_forgotten_disks_is_not_destroyed(place: Place) -> None:
    sr = place.create_sr()
    vdi = place.create_disk(sr)
    for pbd in place.pbds(sr):
        place.lab.xe("pbd-unplug", "uuid=" + pbd)
    place.lab.xe("vdi-forget", "uuid=" + vdi)
    with pytest.raises(XeFailed) as caught:
        place.lab.xe("sr-destroy", "uuid=" + sr)
    assert "SR_NOT_EMPTY" in str(caught.value) or "not empty" in str(caught.value)
    assert place.images() == ["vdi-" + vdi]
    place.lab.xe("pbd-plug", "uuid=" + place.pbds(sr, "host1")[0])
    place.lab.xe("vdi-destroy", "uuid=" + vdi)
    place.destroy_sr(sr)


def test_a_statefile_for_high_availability(place: Place, sr: str) -> None:
    with pytest.raises(XeFailed):
        place.lab.xe(
            "vdi-create", "sr-uuid=" + sr, "name-label=s", "virtual-size=4MiB", "type=ha_statefile"
        )
    assert place.disks(sr) == [] and place.images() == []
