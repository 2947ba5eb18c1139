"""The lab, and a place in its cluster for every test."""

from collections.abc import Iterator

import pytest

from lab.lab import Lab
from lab.place import Place
from labtests import conftest as shared

lab = shared.lab


@pytest.fixture
def place(lab: Lab) -> Place:
    """An RBD namespace of the test's own."""
    return Place(lab)


@pytest.fixture
def sr(place: Place) -> Iterator[str]:
    """An SR in that place, attached on every host."""
    uuid = place.create_sr()
    yield uuid
    for vdi in place.disks(uuid):
        place.lab.xe("vdi-destroy", "uuid=" + vdi)
    place.destroy_sr(uuid)
