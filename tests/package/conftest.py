"""The packages, built once; a fresh root for each test."""

import os
import subprocess
from pathlib import Path

import pytest

from package import stubs
from package.build import TESTS_CACHE, build_rpm
from package.scratch import Root


@pytest.fixture(scope="session")
def rpm():
    return build_rpm()


@pytest.fixture(scope="session")
def python36():
    environment = TESTS_CACHE / "python3.6/bin/python"
    if not environment.exists():
        if os.environ.get("ALLOW_MISSING_PYTHON") == "1":
            pytest.skip("expected: Python 3.6 is missing, and ALLOW_MISSING_PYTHON=1")
        pytest.fail("Python 3.6 is missing: run tests/install unit")
    argv = [str(environment), "-c", "import sys; print(sys.base_prefix)"]
    prefix = subprocess.run(argv, check=True, stdout=subprocess.PIPE, text=True).stdout
    return Path(prefix.strip()) / "bin/python3.6"


@pytest.fixture(scope="session")
def dom0(tmp_path_factory):
    """The packages of a host with XCP-ng 8.3: xapi as released, and its next update."""
    folder = tmp_path_factory.mktemp("stubs")
    return {
        "base": stubs.dom0(folder),
        "xapi": stubs.xapi(folder, "24.19", stubs.STOCK),
        "xapi-update": stubs.xapi(folder, "26.1", stubs.STOCK + " brandnew"),
        "linstor": stubs.linstor(folder),
    }


@pytest.fixture
def root(tmp_path, python36):
    return Root(tmp_path, python36)


@pytest.fixture
def host(root, dom0, rpm):
    """A host with the package installed."""
    root.offer(dom0["base"], dom0["xapi"], rpm)
    result = root.dnf("install", "xcpng-ceph-hci")
    assert result.returncode == 0, result.stdout
    root.printed = result.stdout
    return root
