"""Sizes and names."""

import pytest

from cephhci.errors import SizeInvalid
from cephhci.layout import GRAIN, LARGEST, device_link, disk_size, image_name, place


@pytest.mark.parametrize("asked, given", [(1, GRAIN), (GRAIN, GRAIN), (GRAIN + 1, 2 * GRAIN), (12345, GRAIN)])
def test_sizes_are_rounded_up(asked: int, given: int) -> None:
    assert disk_size(asked) == given


@pytest.mark.parametrize("asked", [0, -1, LARGEST + 1])
def test_impossible_sizes_are_refused(asked: int) -> None:
    with pytest.raises(SizeInvalid) as caught:
        disk_size(asked)
    assert str(asked) in str(caught.value)


def test_names() -> None:
    assert image_name("u") == "vdi-u"
    assert device_link("s", "d") == "/run/ceph-sr/s/d"
    assert place("p", "") == "p"
    assert place("p", "n") == "p/n"
