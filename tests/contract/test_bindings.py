"""The versions of the real bindings, which have a type of their own for librados and a tuple for librbd."""

import re

from cephhci.ceph import bindings


def test_versions_of_the_libraries_that_are_installed() -> None:
    versions = bindings.versions()
    assert sorted(versions) == ["librados", "librbd"]
    for version in versions.values():
        assert re.fullmatch(r"[0-9]+\.[0-9]+\.[0-9]+", version)
